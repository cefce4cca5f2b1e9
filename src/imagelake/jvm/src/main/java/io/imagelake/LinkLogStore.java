package io.imagelake;

import io.delta.storage.HadoopFileSystemLogStore;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Iterator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Delta's log on a local disk, safe for any number of processes: a commit is written to a temporary file, synced,
 * and published with link(2), which the kernel refuses when the name is taken. Delta's own store looks first and
 * renames then, and a commit made in between is overwritten.
 *
 * <p>A writer killed at any point leaves at most a hidden temporary file, which sorts before every commit and which
 * no reader of a Delta log looks at.
 */
public class LinkLogStore extends HadoopFileSystemLogStore {

  public LinkLogStore(Configuration conf) {
    super(conf);
  }

  /**
   * Writes one line an action. Without {@code overwrite}, a taken name is a {@link FileAlreadyExistsException}: the
   * class by which Delta knows that another writer was faster. When {@code actions} fails, nothing is left behind.
   */
  @Override
  public void write(Path path, Iterator<String> actions, Boolean overwrite, Configuration conf) throws IOException {
    java.nio.file.Path target = local(path, conf);
    if (!overwrite && Files.exists(target)) {
      throw new FileAlreadyExistsException(target.toString());
    }
    java.nio.file.Path folder = Files.createDirectories(target.getParent());
    java.nio.file.Path temporary = folder.resolve(createTempPath(path).getName());
    try {
      writeSynced(temporary, actions);
      Files.deleteIfExists(checksumOf(target));
      beforePublish(target);
      if (overwrite) {
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      } else {
        link(temporary, target);
      }
    } finally {
      Files.deleteIfExists(temporary);
    }
    sync(folder);
  }

  /**
   * True: Delta asks this before it writes a checkpoint, which does not pass through {@link #write}. It then writes
   * under another name and renames, so that a killed writer leaves no half checkpoint.
   */
  @Override
  public Boolean isPartialWriteVisible(Path path, Configuration conf) {
    return true;
  }

  /** Called when everything is on disk and only the name is missing: tests pause a committer here. */
  void beforePublish(java.nio.file.Path target) throws IOException {}

  private static void link(java.nio.file.Path temporary, java.nio.file.Path target) throws IOException {
    try {
      Files.createLink(target, temporary);
    } catch (UnsupportedOperationException e) {
      throw new IOException("the file system of " + target + " has no hard links, which commits need", e);
    } catch (IOException e) {
      // a network file system may carry out a link and lose the answer: the file there is then this very one
      if (!isSame(temporary, target)) {
        throw e;
      }
    }
  }

  private static boolean isSame(java.nio.file.Path temporary, java.nio.file.Path target) throws IOException {
    try {
      return Files.isSameFile(temporary, target);
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private static void writeSynced(java.nio.file.Path file, Iterator<String> lines) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 16);
      while (lines.hasNext()) {
        out.write(lines.next().getBytes(StandardCharsets.UTF_8));
        out.write('\n');
      }
      out.flush();
      channel.force(true);
    }
  }

  private static void sync(java.nio.file.Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  /** Hadoop's checksum beside a file: one that another store left there would make the new file unreadable. */
  private static java.nio.file.Path checksumOf(java.nio.file.Path file) {
    return file.resolveSibling("." + file.getFileName() + ".crc");
  }

  private static java.nio.file.Path local(Path path, Configuration conf) throws IOException {
    FileSystem files = path.getFileSystem(conf);
    Path whole = files.makeQualified(path);
    if (!"file".equals(whole.toUri().getScheme())) {
      throw new IOException(whole + " is not on a local disk, which is all LinkLogStore writes to");
    }
    return java.nio.file.Path.of(whole.toUri().getPath());
  }
}
