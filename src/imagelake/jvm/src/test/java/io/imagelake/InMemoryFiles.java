package io.imagelake;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/** What every file system has to have, over a map. Files can be read and listed; how they get there is left open. */
abstract class InMemoryFiles extends FileSystem {
  final Map<Path, byte[]> objects = new ConcurrentHashMap<>();
  IOException whenReading;
  private URI uri;

  @Override
  public void initialize(URI name, Configuration conf) throws IOException {
    super.initialize(name, conf);
    uri = name;
  }

  @Override
  public URI getUri() {
    return uri;
  }

  @Override
  public FSDataInputStream open(Path path, int buffer) throws IOException {
    if (whenReading != null) {
      throw whenReading;
    }
    byte[] bytes = objects.get(makeQualified(path));
    if (bytes == null) {
      throw new FileNotFoundException(path.toString());
    }
    return new FSDataInputStream(new Content(bytes));
  }

  @Override
  public FileStatus[] listStatus(Path folder) {
    return objects.entrySet().stream()
        .filter(object -> object.getKey().getParent().equals(makeQualified(folder)))
        .map(object -> new FileStatus(object.getValue().length, false, 1, 1, 0, object.getKey()))
        .toArray(FileStatus[]::new);
  }

  @Override
  public Path getWorkingDirectory() {
    return new Path(uri + "/");
  }

  @Override
  public void setWorkingDirectory(Path path) {}

  @Override
  public FSDataOutputStream append(Path path, int buffer, Progressable progress) {
    throw new UnsupportedOperationException();
  }

  @Override
  public boolean rename(Path from, Path to) {
    throw new UnsupportedOperationException();
  }

  @Override
  public boolean delete(Path path, boolean recursive) {
    throw new UnsupportedOperationException();
  }

  @Override
  public boolean mkdirs(Path path, FsPermission permission) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileStatus getFileStatus(Path path) {
    throw new UnsupportedOperationException();
  }

  private static final class Content extends FSInputStream {
    private final byte[] bytes;
    private int position;

    Content(byte[] bytes) {
      this.bytes = bytes;
    }

    @Override
    public int read() {
      return position < bytes.length ? bytes[position++] & 0xff : -1;
    }

    @Override
    public void seek(long to) {
      position = (int) to;
    }

    @Override
    public long getPos() {
      return position;
    }

    @Override
    public boolean seekToNewSource(long target) {
      return false;
    }
  }
}
