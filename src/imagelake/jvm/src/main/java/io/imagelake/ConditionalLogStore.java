package io.imagelake;

import io.delta.storage.HadoopFileSystemLogStore;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.Arrays;
import java.util.Iterator;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options.CreateFileOptionKeys;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathIOException;
import org.apache.hadoop.fs.StreamCapabilities;

/**
 * Delta's log on S3, safe for any number of processes: a commit is one PUT with {@code If-None-Match: *}, which the
 * server refuses when the name is taken. Delta's own store knows only the writers of its own JVM, and a commit made by
 * another is overwritten.
 *
 * <p>Whatever a failed PUT says, what is there afterwards decides: the client repeats a PUT whose answer was lost, and
 * is then refused because of its own first one.
 */
public class ConditionalLogStore extends HadoopFileSystemLogStore {
  private static final int ATTEMPTS = 6;

  public ConditionalLogStore(Configuration conf) {
    super(conf);
  }

  /**
   * Writes one line an action. Without {@code overwrite}, a taken name is a {@link FileAlreadyExistsException}: the
   * class by which Delta knows that another writer was faster. When {@code actions} fails, nothing is sent.
   */
  @Override
  public void write(Path path, Iterator<String> actions, Boolean overwrite, Configuration conf) throws IOException {
    byte[] bytes = lines(actions);
    FileSystem files = path.getFileSystem(conf);
    Path target = files.makeQualified(path);
    refuseDroppedChecks(files, target);
    if (overwrite) {
      FSDataOutputStream out = files.create(target, true);
      fill(out, bytes);
      out.close();
    } else {
      refuseParts(files, target, bytes.length);
      commit(files, target, bytes);
    }
  }

  /** False: an object appears whole, when the upload is complete. */
  @Override
  public Boolean isPartialWriteVisible(Path path, Configuration conf) {
    return false;
  }

  private static void commit(FileSystem files, Path target, byte[] bytes) throws IOException {
    for (int attempt = 1; ; attempt++) {
      FSDataOutputStream out = openConditional(files, target);
      fill(out, bytes);
      try {
        out.close();
        return;
      } catch (IOException | RuntimeException e) {
        if (isCommitted(files, target, bytes, e)) {
          return;
        }
        if (attempt == ATTEMPTS || !isConflict(e)) {
          throw new IOException(
              "the outcome of the commit " + target + " is unknown: writing it failed, and it was not found", e);
        }
        pause(attempt, e);
      }
    }
  }

  /** Whether {@code bytes} are there; another writer's are an exception, and nothing is a no. */
  private static boolean isCommitted(FileSystem files, Path target, byte[] bytes, Exception failure)
      throws IOException {
    byte[] there;
    try (FSDataInputStream in = files.open(target)) {
      there = in.readAllBytes();
    } catch (FileNotFoundException e) {
      return false;
    } catch (IOException | RuntimeException e) {
      failure.addSuppressed(e);
      throw new IOException(
          "the outcome of the commit " + target + " is unknown: writing it failed, and so did looking for it", failure);
    }
    // the same bytes are the same writer's: Delta puts a txnId of its own into the commitInfo of every commit
    if (!Arrays.equals(there, bytes)) {
      throw new FileAlreadyExistsException(target.toString());
    }
    return true;
  }

  /**
   * 409: another conditional PUT of the name was under way, which may yet fail, and this one was not carried out. S3A's
   * exception is asked by name, as its classes are not there to compile against.
   */
  private static boolean isConflict(Exception failure) {
    try {
      return Integer.valueOf(409).equals(failure.getClass().getMethod("statusCode").invoke(failure));
    } catch (ReflectiveOperationException e) {
      return false;
    }
  }

  private static void pause(int attempt, Exception failure) throws IOException {
    try {
      Thread.sleep(ThreadLocalRandom.current().nextLong(10, 50L << attempt));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw (IOException) new InterruptedIOException("interrupted before the next attempt").initCause(failure);
    }
  }

  private static FSDataOutputStream openConditional(FileSystem files, Path target) throws IOException {
    FSDataOutputStreamBuilder<?, ?> builder = files.createFile(target);
    try {
      return builder.recursive().must(CreateFileOptionKeys.FS_OPTION_CREATE_CONDITIONAL_OVERWRITE, true).build();
    } catch (PathIOException | IllegalArgumentException | UnsupportedOperationException e) {
      throw new IOException(
          "the client refuses to create " + target + " only when it is not there, which commits need: set"
              + " fs.s3a.create.conditional.enabled=true (Hadoop 3.4.2 or newer)",
          e);
    }
  }

  /** A stream that fails is aborted, never closed: closing would publish what it holds so far. */
  private static void fill(FSDataOutputStream out, byte[] bytes) throws IOException {
    try {
      out.write(bytes);
    } catch (Throwable e) {
      try {
        if (out.hasCapability(StreamCapabilities.ABORTABLE_STREAM)) {
          out.abort();
        }
      } catch (RuntimeException again) {
        e.addSuppressed(again);
      }
      throw e;
    }
  }

  /** The client itself is asked, which knows the options of the bucket and the older spelling of the flag as well. */
  private static void refuseDroppedChecks(FileSystem files, Path target) throws IOException {
    if (files.hasPathCapability(target, "fs.s3a.create.performance.enabled")) {
      throw new IOException(
          "fs.s3a.performance.flags holds 'create' (or '*'), with which S3A writes without a look at what it replaces:"
              + " remove it before anything is written to "
              + target);
    }
  }

  /** S3A sends a longer file in parts, and Ceph ignores the condition when it puts them together. */
  private static void refuseParts(FileSystem files, Path target, int length) throws IOException {
    long part = files.getConf().getLongBytes("fs.s3a.multipart.size", 64 << 20);
    if (length >= part && files.getConf().getBoolean("fs.s3a.multipart.uploads.enabled", true)) {
      throw new IOException(
          "the commit " + target + " has " + length + " bytes and would be sent in parts: set fs.s3a.multipart.size,"
              + " now " + part + ", to more");
    }
  }

  private static byte[] lines(Iterator<String> actions) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    while (actions.hasNext()) {
      bytes.writeBytes(actions.next().getBytes(StandardCharsets.UTF_8));
      bytes.write('\n');
    }
    return bytes.toByteArray();
  }
}
