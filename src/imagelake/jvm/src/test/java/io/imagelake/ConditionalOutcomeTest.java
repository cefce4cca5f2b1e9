package io.imagelake;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.imagelake.FakeS3.AWSBadRequestException;
import io.imagelake.FakeS3.RemoteFileChangedException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A PUT that fails: whose commit is it, and may it be sent again? */
class ConditionalOutcomeTest {
  private static final int WRITERS = 6;
  private static final int VERSIONS = 20;
  private final Configuration conf = new Configuration();
  private final ConditionalLogStore store = new ConditionalLogStore(conf);
  private final Exception conflict = new AWSBadRequestException(409);
  private FakeS3 s3;

  @BeforeEach
  void makeABucket() throws IOException {
    s3 = FakeS3.bucket("s3a", conf);
  }

  @Test
  void aCommitWhoseAnswerWasLostCountsAsMade() throws IOException {
    for (Exception lost : List.of(new IOException("connection reset"), new IllegalStateException("closed"))) {
      s3.objects.clear();
      s3.answers.add(s3.servedBut(lost));

      commit(0, "mine");

      assertEquals("mine\n", content(0));
    }
    assertEquals(2, s3.puts.size());
  }

  @Test
  void aClientRefusedBecauseOfItsOwnFirstTryHasMadeTheCommit() throws IOException {
    for (Exception refusal : List.of(new RemoteFileChangedException(path(0)), conflict)) {
      s3.objects.clear();
      s3.answers.add(s3.servedBut(refusal));

      commit(0, "mine");

      assertEquals("mine\n", content(0));
    }
    assertEquals(2, s3.puts.size());
  }

  @Test
  void anotherWritersCommitIsTheirsWhateverTheErrorSays() {
    for (Exception failure : List.of(new RemoteFileChangedException(path(0)), conflict, new IOException("500"))) {
      s3.answers.add(s3.overtaken("mine\nbut longer\n", failure));
      assertThrows(FileAlreadyExistsException.class, () -> commit(0, "mine"));
    }
    assertEquals(3, s3.puts.size());
    assertEquals("mine\nbut longer\n", content(0));
  }

  @Test
  void aConflictThatLeftNothingIsTriedAgain() throws IOException {
    s3.answers.add(FakeS3.fails(conflict));
    s3.answers.add(FakeS3.fails(conflict));

    commit(0, "mine");

    assertEquals("mine\n", content(0));
    assertEquals(List.of("conditional", "conditional", "conditional"), s3.puts);
  }

  @Test
  void theWriterOneIsInConflictWithMayWin() {
    s3.answers.add(FakeS3.fails(conflict));
    s3.answers.add(s3.overtaken("theirs\n", new RemoteFileChangedException(path(0))));

    assertThrows(FileAlreadyExistsException.class, () -> commit(0, "mine"));

    assertEquals("theirs\n", content(0));
  }

  @Test
  void aConflictWithoutEndIsGivenUp() {
    s3.answers.addAll(Collections.nCopies(100, FakeS3.fails(conflict)));

    IOException told = assertThrows(IOException.class, () -> commit(0, "mine"));

    assertUnknown(told, conflict);
    assertEquals(6, s3.puts.size());
  }

  @Test
  void aPauseCanBeInterrupted() {
    s3.answers.add(FakeS3.fails(conflict));
    Thread.currentThread().interrupt();

    IOException told = assertThrows(InterruptedIOException.class, () -> commit(0, "mine"));

    assertTrue(Thread.interrupted());
    assertSame(conflict, told.getCause());
    assertEquals(1, s3.puts.size());
  }

  @Test
  void anyOtherErrorThatLeftNothingIsNeverTriedAgain() {
    List<Exception> errors =
        List.of(
            new AWSBadRequestException(400),
            new RemoteFileChangedException(path(0)),
            new IOException("Status Code: 500"),
            new IllegalStateException("connection pool shut down"));
    for (Exception error : errors) {
      s3.puts.clear();
      s3.answers.add(FakeS3.fails(error));

      IOException told = assertThrows(IOException.class, () -> commit(0, "mine"));

      assertUnknown(told, error);
      assertEquals(List.of("conditional"), s3.puts);
    }
    assertTrue(s3.objects.isEmpty());
  }

  @Test
  void whenLookingFailsTooTheOutcomeIsUnknown() {
    s3.answers.add(FakeS3.fails(conflict));
    s3.whenReading = new IOException("no route to host");

    IOException told = assertThrows(IOException.class, () -> commit(0, "mine"));

    assertUnknown(told, conflict);
    assertSame(s3.whenReading, conflict.getSuppressed()[0]);
    assertEquals(1, s3.puts.size());
  }

  @Test
  void everyVersionHasOneWriterThoughAnswersAreLostAndPutsConflict() throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(WRITERS);
    CyclicBarrier together = new CyclicBarrier(WRITERS);
    List<Future<List<Integer>>> writers = new ArrayList<>();
    try {
      for (int writer = 0; writer < WRITERS; writer++) {
        String name = "writer " + writer;
        writers.add(pool.submit(() -> race(name, together)));
      }
      int told = 0;
      for (int writer = 0; writer < WRITERS; writer++) {
        for (int version : writers.get(writer).get()) {
          assertEquals("writer " + writer + "\n", content(version));
          told++;
        }
      }
      assertEquals(VERSIONS, told);
      assertEquals(VERSIONS, s3.objects.size());
    } finally {
      pool.shutdownNow();
    }
  }

  /** The versions that this writer was told it has committed. */
  private List<Integer> race(String name, CyclicBarrier together) throws Exception {
    List<Integer> won = new ArrayList<>();
    for (int version = 0; version < VERSIONS; version++) {
      together.await();
      s3.answers.add(version % 3 == 0 ? s3::serve : s3.servedBut(new IOException("connection reset")));
      if (version % 3 == 1) {
        s3.answers.addFirst(FakeS3.fails(conflict));
      }
      try {
        commit(version, name);
        won.add(version);
      } catch (FileAlreadyExistsException e) {
        // another one was faster
      }
    }
    return won;
  }

  private static void assertUnknown(IOException told, Exception cause) {
    assertEquals(IOException.class, told.getClass());
    assertTrue(told.getMessage().contains("is unknown"), told.getMessage());
    assertSame(cause, told.getCause());
  }

  private void commit(int version, String line) throws IOException {
    store.write(path(version), List.of(line).iterator(), false, conf);
  }

  private Path path(int version) {
    return new Path(s3.getUri() + "/table/_delta_log/" + String.format("%020d.json", version));
  }

  private String content(int version) {
    return new String(s3.objects.get(path(version)));
  }
}
