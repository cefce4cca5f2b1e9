package io.imagelake;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.delta.storage.HDFSLogStore;
import io.delta.storage.LogStore;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every version has exactly one writer who was told that it is theirs, and holds what that writer wrote. */
class ManyWritersTest {
  private static final int VERSIONS = 25;
  @TempDir private java.nio.file.Path log;

  @Test
  void twoThreadsShareTheVersions() throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(2);
    try {
      Future<List<Integer>> a = pool.submit(() -> Racer.race(path(), "a", VERSIONS));
      Future<List<Integer>> b = pool.submit(() -> Racer.race(path(), "b", VERSIONS));
      assertEachVersionHasOneWriter(a.get(), b.get());
    } finally {
      pool.shutdownNow();
    }
  }

  @Test
  void twoProcessesShareTheVersions() throws Exception {
    Process a = start("a");
    Process b = start("b");
    try (BufferedReader fromA = a.inputReader();
        BufferedReader fromB = b.inputReader()) {
      assertEquals("ready", fromA.readLine());
      assertEquals("ready", fromB.readLine());
      a.outputWriter().append('\n').flush();
      b.outputWriter().append('\n').flush();
      assertEachVersionHasOneWriter(numbers(fromA), numbers(fromB));
      assertEquals(0, a.waitFor());
      assertEquals(0, b.waitFor());
    } finally {
      a.destroyForcibly();
      b.destroyForcibly();
    }
  }

  @Test
  void aCommitterPausedBeforePublishingLosesNothing() throws Exception {
    CountDownLatch reached = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    LogStore paused =
        new LinkLogStore(new Configuration()) {
          @Override
          void beforePublish(java.nio.file.Path target) throws IOException {
            reached.countDown();
            PausedRename.await(goOn);
          }
        };
    LogStore other = new LinkLogStore(new Configuration());

    ExecutionException told =
        assertThrows(ExecutionException.class, () -> overtake(paused, other, new Configuration(), reached, goOn));

    assertTrue(told.getCause() instanceof FileAlreadyExistsException);
    assertEquals("other\n", Files.readString(file(0)));
  }

  @Test
  void deltasOwnStoreTellsBothWritersThatTheVersionIsTheirs() throws Exception {
    PausedRename.reached = new CountDownLatch(1);
    PausedRename.goOn = new CountDownLatch(1);
    Configuration conf = new Configuration();
    conf.set("fs.AbstractFileSystem.file.impl", PausedRename.class.getName());
    LogStore stock = new HDFSLogStore(conf);

    overtake(stock, stock, conf, PausedRename.reached, PausedRename.goOn);

    assertEquals("paused\n", Files.readString(file(0)), "the other writer's commit is gone, and nobody knows");
  }

  /** One writer is held up in the middle of a commit while another makes the same commit; then it goes on. */
  private void overtake(
      LogStore paused, LogStore other, Configuration conf, CountDownLatch reached, CountDownLatch goOn)
      throws Exception {
    Path commit = new Path(path(), file(0).getFileName().toString());
    ExecutorService pool = Executors.newSingleThreadExecutor();
    try {
      Future<?> slow =
          pool.submit(
              () -> {
                paused.write(commit, List.of("paused").iterator(), false, conf);
                return null;
              });
      PausedRename.await(reached);
      other.write(commit, List.of("other").iterator(), false, conf);
      goOn.countDown();
      slow.get();
    } finally {
      pool.shutdownNow();
    }
  }

  private void assertEachVersionHasOneWriter(List<Integer> a, List<Integer> b) throws IOException {
    List<Integer> told = new ArrayList<>(a);
    told.addAll(b);
    assertEquals(IntStream.range(0, VERSIONS).boxed().toList(), told.stream().sorted().toList());
    for (int version = 0; version < VERSIONS; version++) {
      assertEquals(a.contains(version) ? "a\n" : "b\n", Files.readString(file(version)));
    }
    assertEquals(VERSIONS, log.toFile().list().length);
  }

  private Process start(String name) throws IOException {
    return new ProcessBuilder(
            ProcessHandle.current().info().command().orElseThrow(),
            "-cp",
            System.getProperty("java.class.path"),
            Racer.class.getName(),
            path().toString(),
            name,
            String.valueOf(VERSIONS))
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  private static List<Integer> numbers(BufferedReader lines) {
    return lines.lines().map(Integer::valueOf).toList();
  }

  private Path path() {
    return new Path(log.toUri());
  }

  private java.nio.file.Path file(int version) {
    return log.resolve(String.format("%020d.json", version));
  }
}
