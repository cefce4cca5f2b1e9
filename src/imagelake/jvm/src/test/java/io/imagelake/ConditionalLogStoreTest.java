package io.imagelake;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.delta.storage.CloseableIterator;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What Delta expects of a log store, on a bucket, and what the store asks of its client. */
class ConditionalLogStoreTest {
  private final Configuration conf = new Configuration();
  private final ConditionalLogStore store = new ConditionalLogStore(conf);
  private FakeS3 s3;

  @BeforeEach
  void makeABucket() throws IOException {
    s3 = FakeS3.bucket("s3a", conf);
  }

  @ParameterizedTest
  @ValueSource(strings = {"s3a", "s3"})
  void aCommitIsOneConditionalPutOfOneLineAnAction(String scheme) throws IOException {
    s3 = FakeS3.bucket(scheme, conf);

    write(0, "{\"a\":\"ü\"}", "{\"b\":2}");

    assertArrayEquals(
        "{\"a\":\"ü\"}\n{\"b\":2}\n".getBytes(StandardCharsets.UTF_8), s3.objects.get(commit(0)));
    assertEquals(List.of("conditional"), s3.puts);
    try (CloseableIterator<String> lines = store.read(commit(0), conf)) {
      assertEquals("{\"a\":\"ü\"}", lines.next());
      assertEquals("{\"b\":2}", lines.next());
      assertFalse(lines.hasNext());
    }
  }

  @Test
  void aTakenNameIsTheExceptionByWhichDeltaKnowsThatAnotherWriterWasFaster() throws IOException {
    write(0, "first");

    assertThrows(FileAlreadyExistsException.class, () -> write(0, "second"));

    assertEquals("first\n", content(0));
    assertEquals(List.of("conditional", "conditional"), s3.puts);
  }

  @Test
  void commitsAreListedInOrder() throws IOException {
    write(2, "two");
    write(0, "zero");
    write(1, "one");

    List<String> listed = new ArrayList<>();
    store.listFrom(commit(1), conf).forEachRemaining(status -> listed.add(status.getPath().getName()));

    assertEquals(List.of(commit(1).getName(), commit(2).getName()), listed);
  }

  @Test
  void overwriteIsOnePlainPut() throws IOException {
    write(0, "first");

    store.write(commit(0), List.of("second").iterator(), true, conf);

    assertEquals("second\n", content(0));
    assertEquals(List.of("conditional", "plain"), s3.puts);
  }

  @Test
  void anOverwriteThatFailsIsNotTriedAgain() {
    s3.answers.add(FakeS3.fails(new IOException("500")));

    IOException told =
        assertThrows(IOException.class, () -> store.write(commit(0), List.of("a").iterator(), true, conf));

    assertEquals("500", told.getMessage());
    assertEquals(List.of("plain"), s3.puts);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void actionsThatFailHalfwaySendNothing(boolean overwrite) {
    Iterator<String> failing =
        Stream.of("half", "broken")
            .peek(
                line -> {
                  if (line.equals("broken")) {
                    throw new IllegalStateException("the statistics could not be read");
                  }
                })
            .iterator();

    assertThrows(IllegalStateException.class, () -> store.write(commit(0), failing, overwrite, conf));

    assertEquals(0, s3.opened.get());
    assertTrue(s3.objects.isEmpty());
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aStreamThatFailsIsAbortedBecauseClosingItWouldPublishHalf(boolean overwrite) {
    s3.whenWriting = new IOException("disk full");

    IOException told =
        assertThrows(IOException.class, () -> store.write(commit(0), List.of("a").iterator(), overwrite, conf));

    assertEquals("disk full", told.getMessage());
    assertEquals(1, s3.aborted.get());
    assertEquals(List.of(), s3.puts);
    assertTrue(s3.objects.isEmpty());
  }

  @Test
  void aStreamThatFailsAndCannotBeAbortedIsNotClosedEither() {
    s3.whenWriting = new IOException("disk full");
    s3.abortable = false;

    assertThrows(IOException.class, () -> write(0, "a"));

    assertEquals(0, s3.aborted.get());
    assertEquals(List.of(), s3.puts);
  }

  @Test
  void aClientWithConditionalCreationOffIsToldWhatToSet() {
    s3.getConf().setBoolean("fs.s3a.create.conditional.enabled", false);

    IOException told = assertThrows(IOException.class, () -> write(0, "a"));

    assertTrue(told.getMessage().contains("fs.s3a.create.conditional.enabled=true"), told.getMessage());
    assertTrue(s3.objects.isEmpty());
  }

  @Test
  void aClientThatDoesNotKnowTheConditionIsToldTheSame() {
    s3.understood = Set.of();

    IOException told = assertThrows(IOException.class, () -> write(0, "a"));

    assertTrue(told.getMessage().contains("fs.s3a.create.conditional.enabled=true"), told.getMessage());
    assertTrue(s3.objects.isEmpty());
  }

  @ParameterizedTest
  @ValueSource(strings = {"create", "mkdir, create", "*"})
  void aClientThatDropsItsChecksIsRefused(String flags) {
    s3.getConf().set("fs.s3a.performance.flags", flags);

    for (boolean overwrite : List.of(true, false)) {
      IOException told =
          assertThrows(IOException.class, () -> store.write(commit(0), List.of("a").iterator(), overwrite, conf));
      assertTrue(told.getMessage().contains("fs.s3a.performance.flags"), told.getMessage());
    }
    assertTrue(s3.objects.isEmpty());
  }

  @Test
  void otherPerformanceFlagsAreNobodysConcern() throws IOException {
    s3.getConf().set("fs.s3a.performance.flags", "mkdir");

    write(0, "a");

    assertEquals("a\n", content(0));
  }

  @Test
  void aCommitThatWouldBeSentInPartsIsRefusedBecauseServersTakeNoConditionThere() throws IOException {
    s3.getConf().set("fs.s3a.multipart.size", "8");

    IOException told = assertThrows(IOException.class, () -> write(0, "1234567"));
    assertTrue(told.getMessage().contains("fs.s3a.multipart.size"), told.getMessage());
    assertEquals(0, s3.opened.get());

    write(0, "123456");
    store.write(commit(1), List.of("1234567").iterator(), true, conf);
    s3.getConf().setBoolean("fs.s3a.multipart.uploads.enabled", false);
    write(2, "1234567");
    assertEquals(3, s3.objects.size());
  }

  @Test
  void noHalfFileIsEverSeen() {
    assertFalse(store.isPartialWriteVisible(commit(0), conf));
  }

  private void write(int version, String... lines) throws IOException {
    store.write(commit(version), List.of(lines).iterator(), false, conf);
  }

  private Path commit(int version) {
    return new Path(s3.getUri() + "/a table/_delta_log/" + String.format("%020d.json", version));
  }

  private String content(int version) {
    return new String(s3.objects.get(commit(version)), StandardCharsets.UTF_8);
  }
}
