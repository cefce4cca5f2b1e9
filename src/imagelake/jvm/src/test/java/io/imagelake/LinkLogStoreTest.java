package io.imagelake;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.delta.storage.CloseableIterator;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Delta expects of a log store, on a real disk. */
class LinkLogStoreTest {
  private final Configuration conf = new Configuration();
  private final LinkLogStore store = new LinkLogStore(conf);
  @TempDir private java.nio.file.Path table;
  private java.nio.file.Path log;

  @BeforeEach
  void nameTheLog() {
    log = table.resolve("a table with spaces, ü and %20").resolve("_delta_log");
  }

  @Test
  void aCommitHoldsOneLineAnActionAndCanBeReadBack() throws IOException {
    store.write(commit(0), List.of("{\"a\":\"ü\"}", "{\"b\":2}").iterator(), false, conf);

    assertEquals("{\"a\":\"ü\"}\n{\"b\":2}\n", Files.readString(file(0)));
    assertEquals(List.of("{\"a\":\"ü\"}", "{\"b\":2}"), read(0));
  }

  @Test
  void aTakenNameIsTheExceptionByWhichDeltaKnowsThatAnotherWriterWasFaster() throws IOException {
    store.write(commit(0), List.of("first").iterator(), false, conf);

    assertThrows(
        FileAlreadyExistsException.class, () -> store.write(commit(0), List.of("second").iterator(), false, conf));
    // also with the same bytes: the file there is another writer's all the same
    assertThrows(
        FileAlreadyExistsException.class, () -> store.write(commit(0), List.of("first").iterator(), false, conf));

    assertEquals(List.of("first"), read(0));
    assertEquals(List.of(file(0).getFileName().toString()), names());
  }

  @Test
  void aNameTakenAfterTheFirstLookIsRefusedToo() throws IOException {
    LinkLogStore overtaken =
        new LinkLogStore(conf) {
          @Override
          void beforePublish(java.nio.file.Path target) throws IOException {
            store.write(commit(0), List.of("faster").iterator(), false, conf);
          }
        };

    assertThrows(
        FileAlreadyExistsException.class, () -> overtaken.write(commit(0), List.of("slower").iterator(), false, conf));
    assertEquals(List.of("faster"), read(0));
    assertEquals(List.of(file(0).getFileName().toString()), names());
  }

  @Test
  void aLinkWhoseAnswerWasLostCountsAsMade() throws IOException {
    LinkLogStore repeated =
        new LinkLogStore(conf) {
          @Override
          void beforePublish(java.nio.file.Path target) throws IOException {
            try (Stream<java.nio.file.Path> files = Files.list(target.getParent())) {
              Files.createLink(target, files.findFirst().orElseThrow());
            }
          }
        };

    repeated.write(commit(0), List.of("mine").iterator(), false, conf);

    assertEquals(List.of("mine"), read(0));
    assertEquals(List.of(file(0).getFileName().toString()), names());
  }

  @Test
  void actionsThatFailHalfwayLeaveNothing() throws IOException {
    assertThrows(IllegalStateException.class, () -> store.write(commit(0), failing(), false, conf));
    assertEquals(List.of(), names());

    store.write(commit(0), List.of("whole").iterator(), false, conf);
    assertThrows(IllegalStateException.class, () -> store.write(commit(0), failing(), true, conf));
    assertEquals(List.of("whole"), read(0));
    assertEquals(1, names().size());
  }

  @Test
  void overwriteReplacesAndIsReadableWhereAnotherStoreLeftItsChecksum() throws IOException {
    FileSystem files = FileSystem.get(table.toUri(), conf);
    Path pointer = new Path(new Path(log.toUri()), "_last_checkpoint");
    try (var out = files.create(pointer)) {
      out.write("{\"version\":10}".getBytes());
    }
    assertTrue(Files.exists(log.resolve("._last_checkpoint.crc")));

    store.write(pointer, List.of("{\"version\":20}").iterator(), true, conf);

    try (CloseableIterator<String> lines = store.read(pointer, conf)) {
      assertEquals("{\"version\":20}", lines.next());
    }
    assertEquals(List.of("_last_checkpoint"), names());
  }

  @Test
  void theTemporaryOfAKilledWriterIsNotListedAndDisturbsNobody() throws IOException {
    store.write(commit(0), List.of("zero").iterator(), false, conf);
    Files.writeString(log.resolve("." + file(1).getFileName() + ".7f3c.tmp"), "{\"half");

    store.write(commit(1), List.of("one").iterator(), false, conf);

    List<String> listed = new ArrayList<>();
    Iterator<FileStatus> statuses = store.listFrom(commit(0), conf);
    statuses.forEachRemaining(status -> listed.add(status.getPath().getName()));
    assertEquals(List.of(file(0).getFileName().toString(), file(1).getFileName().toString()), listed);
  }

  @Test
  void aPathOnAnotherFileSystemIsRefused() {
    assertThrows(
        IOException.class, () -> store.write(new Path("viewfs://x/0.json"), List.of("a").iterator(), false, conf));
  }

  @Test
  void checkpointsAreRenamedIntoPlaceByDeltaBecauseHalfAFileWouldBeSeen() {
    assertTrue(store.isPartialWriteVisible(commit(0), conf));
  }

  private static Iterator<String> failing() {
    Iterator<String> one = List.of("half").iterator();
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return true;
      }

      @Override
      public String next() {
        if (one.hasNext()) {
          return one.next();
        }
        throw new IllegalStateException("the statistics could not be read");
      }
    };
  }

  private Path commit(int version) {
    return new Path(new Path(log.toUri()), name(version));
  }

  private java.nio.file.Path file(int version) {
    return log.resolve(name(version));
  }

  private static String name(int version) {
    return String.format("%020d.json", version);
  }

  private List<String> read(int version) throws IOException {
    List<String> lines = new ArrayList<>();
    try (CloseableIterator<String> found = store.read(commit(version), conf)) {
      found.forEachRemaining(lines::add);
    }
    return lines;
  }

  private List<String> names() throws IOException {
    try (Stream<java.nio.file.Path> files = Files.list(log)) {
      return files.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }
}
