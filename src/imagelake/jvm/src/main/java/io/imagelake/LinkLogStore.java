package io.imagelake;

import io.delta.storage.HadoopFileSystemLogStore;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Delta's log on a local disk, safe for any number of processes: a commit is written to a temporary file, synced,
 * and published with link(2), which the kernel refuses when the name is taken. Delta's own store looks first and
 * renames then, and a commit made in between is overwritten.
 *
 * <p>A commit survives a power cut only after what it names: the data files that it adds, and the folders they are in,
 * are synced before the link. So are checkpoints before the pointer to them.
 *
 * <p>A writer killed at any point leaves at most a hidden temporary file, which sorts before every commit and which
 * no reader of a Delta log looks at.
 */
public class LinkLogStore extends HadoopFileSystemLogStore {
  private static final String FIRST_COMMIT = "00000000000000000000.json";
  private static final String CHECKPOINT_POINTER = "_last_checkpoint";

  public LinkLogStore(Configuration conf) {
    super(conf);
  }

  /**
   * Writes one line an action. Without {@code overwrite}, a taken name is a {@link FileAlreadyExistsException}: the
   * class by which Delta knows that another writer was faster. When {@code actions} fails, or names a data file that
   * is not there, nothing is left behind.
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
      syncPayload(target, writeSynced(temporary, actions));
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

  /** Called for each file and folder that must be on disk before the name is given: tests watch the order here. */
  void sync(java.nio.file.Path fileOrFolder) throws IOException {
    try (FileChannel channel = FileChannel.open(fileOrFolder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  /** Syncs what a file of the log is about to name: the data files of a commit, or the checkpoints. */
  private void syncPayload(java.nio.file.Path target, List<String> uris) throws IOException {
    java.nio.file.Path root = target.getParent().getParent();
    Set<java.nio.file.Path> folders = new LinkedHashSet<>();
    for (String uri : uris) {
      java.nio.file.Path file = dataFile(root, uri);
      if (file != null) {
        syncDataFile(file, target);
        addFolders(folders, file, root);
      }
    }
    String name = target.getFileName().toString();
    if (name.equals(CHECKPOINT_POINTER)) {
      syncCheckpoints(target.getParent());
    } else if (name.equals(FIRST_COMMIT)) {
      addReadableAncestors(folders, target.getParent());
    }
    for (java.nio.file.Path folder : folders) {
      sync(folder);
    }
  }

  private void syncDataFile(java.nio.file.Path file, java.nio.file.Path commit) throws IOException {
    try {
      sync(file);
    } catch (NoSuchFileException e) {
      throw new IOException("commit " + commit + " adds " + file + ", which does not exist: nothing is committed", e);
    }
    // Hadoop's checksum of the file: one that is half on disk would make the file unreadable
    if (Files.exists(checksumOf(file))) {
      sync(checksumOf(file));
    }
  }

  private void syncCheckpoints(java.nio.file.Path log) throws IOException {
    List<java.nio.file.Path> checkpoints;
    try (Stream<java.nio.file.Path> files = Files.list(log)) {
      checkpoints = files.filter(file -> file.getFileName().toString().contains(".checkpoint.")).toList();
    }
    for (java.nio.file.Path checkpoint : checkpoints) {
      try {
        sync(checkpoint);
      } catch (NoSuchFileException e) {
        continue; // an old one, which another process has cleaned up meanwhile: the pointer does not name it
      }
    }
    sync(log);
  }

  /** Where a file of the table is; null when it is in another store, which has its own way to keep it. */
  private static java.nio.file.Path dataFile(java.nio.file.Path root, String encoded) throws IOException {
    try {
      URI uri = new URI(encoded);
      if (uri.getScheme() == null) {
        return root.resolve(uri.getPath());
      }
      return "file".equals(uri.getScheme()) ? java.nio.file.Path.of(uri.getPath()) : null;
    } catch (URISyntaxException e) {
      throw new IOException("the path of a data file is not a URI: " + encoded, e);
    }
  }

  /** The file's folder, and those between it and the table: they are new when the partition is. */
  private static void addFolders(
      Set<java.nio.file.Path> folders, java.nio.file.Path file, java.nio.file.Path root) {
    java.nio.file.Path folder = file.getParent();
    folders.add(folder);
    while (!folder.equals(root) && folder.startsWith(root)) {
      folder = folder.getParent();
      folders.add(folder);
    }
  }

  /** With its first commit the table's own folders are new; those above a lake may be closed to its writers. */
  private static void addReadableAncestors(Set<java.nio.file.Path> folders, java.nio.file.Path log) {
    for (java.nio.file.Path folder = log.getParent(); folder != null; folder = folder.getParent()) {
      if (Files.isReadable(folder)) {
        folders.add(folder);
      }
    }
  }

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

  /** Writes the lines; the URIs of the data files that they add. */
  private static List<String> writeSynced(java.nio.file.Path file, Iterator<String> lines) throws IOException {
    List<String> added = new ArrayList<>();
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 16);
      while (lines.hasNext()) {
        String line = lines.next();
        out.write(line.getBytes(StandardCharsets.UTF_8));
        out.write('\n');
        String uri = AddedFile.uriIn(line);
        if (uri != null) {
          added.add(uri);
        }
      }
      out.flush();
      channel.force(true);
    }
    return added;
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
