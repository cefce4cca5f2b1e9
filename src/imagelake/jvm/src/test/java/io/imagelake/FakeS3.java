package io.imagelake;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Abortable;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathIOException;
import org.apache.hadoop.fs.StreamCapabilities;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/** A bucket in memory, as the S3A client shows one. Tests say what each PUT meets. */
public class FakeS3 extends InMemoryFiles {
  static final String CONDITION = "fs.option.create.conditional.overwrite";
  private static final AtomicInteger BUCKETS = new AtomicInteger();

  /** One for each PUT to come; a PUT that finds none meets a server that works. */
  final Deque<Answer> answers = new ConcurrentLinkedDeque<>();

  /** "conditional" or "plain" for every PUT that was sent. */
  final List<String> puts = new CopyOnWriteArrayList<>();

  final AtomicInteger opened = new AtomicInteger();
  final AtomicInteger aborted = new AtomicInteger();
  IOException whenWriting;
  boolean abortable = true;
  Set<String> understood = Set.of(CONDITION);

  interface Answer {
    void put(Path path, byte[] bytes, boolean conditional) throws IOException;
  }

  /** A new bucket, which every Path below it leads to. */
  static FakeS3 bucket(String scheme, Configuration conf) throws IOException {
    conf.set("fs." + scheme + ".impl", FakeS3.class.getName());
    return (FakeS3) FileSystem.get(URI.create(scheme + "://bucket" + BUCKETS.incrementAndGet()), conf);
  }

  /** What S3 does: one of many conditional PUTs of a name is carried out. */
  void serve(Path path, byte[] bytes, boolean conditional) throws IOException {
    if (!conditional) {
      objects.put(path, bytes);
    } else if (objects.putIfAbsent(path, bytes) != null) {
      throw new RemoteFileChangedException(path);
    }
  }

  /** An answer that is an error, with nothing stored. */
  static Answer fails(Exception failure) {
    return (path, bytes, conditional) -> raise(failure);
  }

  /** Served, and the answer is lost on its way. */
  Answer servedBut(Exception failure) {
    return (path, bytes, conditional) -> {
      serve(path, bytes, conditional);
      raise(failure);
    };
  }

  /** Another writer is faster, and the answer is this error. */
  Answer overtaken(String content, Exception failure) {
    return (path, bytes, conditional) -> {
      objects.put(path, content.getBytes());
      raise(failure);
    };
  }

  private static void raise(Exception failure) throws IOException {
    if (failure instanceof RuntimeException unchecked) {
      throw unchecked;
    }
    throw (IOException) failure;
  }

  @Override
  public FSDataOutputStreamBuilder<?, ?> createFile(Path path) {
    return new Builder(this, path);
  }

  @Override
  public FSDataOutputStream create(
      Path path, FsPermission mode, boolean overwrite, int buffer, short copies, long block, Progressable progress)
      throws IOException {
    return upload(path, false);
  }

  private FSDataOutputStream upload(Path path, boolean conditional) throws IOException {
    opened.incrementAndGet();
    return new FSDataOutputStream(new Upload(path, conditional), null);
  }

  @Override
  public boolean hasPathCapability(Path path, String capability) throws IOException {
    if ("fs.s3a.create.performance.enabled".equals(capability)) {
      List<String> flags = Arrays.asList(getConf().getTrimmedStrings("fs.s3a.performance.flags"));
      return flags.contains("create") || flags.contains("*");
    }
    return super.hasPathCapability(path, capability);
  }

  private static final class Builder extends FSDataOutputStreamBuilder<FSDataOutputStream, Builder> {
    private final FakeS3 s3;

    Builder(FakeS3 s3, Path path) {
      super(s3, path);
      this.s3 = s3;
    }

    @Override
    public Builder getThisBuilder() {
      return this;
    }

    @Override
    public FSDataOutputStream build() throws IOException {
      rejectUnknownMandatoryKeys(s3.understood, "for " + getPath());
      boolean conditional = getOptions().getBoolean(CONDITION, false);
      if (conditional && !s3.getConf().getBoolean("fs.s3a.create.conditional.enabled", true)) {
        throw new PathIOException(getPath().toString(), "Conditional Writes Unavailable");
      }
      return s3.upload(getPath(), conditional);
    }
  }

  /** Sends when it is closed, like S3A's. */
  private final class Upload extends OutputStream implements Abortable, StreamCapabilities {
    private final Path path;
    private final boolean conditional;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private boolean done;

    Upload(Path path, boolean conditional) {
      this.path = path;
      this.conditional = conditional;
    }

    @Override
    public void write(int one) throws IOException {
      bytes.write(one);
      if (whenWriting != null) {
        throw whenWriting;
      }
    }

    @Override
    public void close() throws IOException {
      if (!done) {
        done = true;
        puts.add(conditional ? "conditional" : "plain");
        Answer answer = answers.poll();
        (answer == null ? (Answer) FakeS3.this::serve : answer).put(path, bytes.toByteArray(), conditional);
      }
    }

    @Override
    public AbortableResult abort() {
      done = true;
      aborted.incrementAndGet();
      return null;
    }

    @Override
    public boolean hasCapability(String capability) {
      return abortable && StreamCapabilities.ABORTABLE_STREAM.equals(capability);
    }
  }

  /** S3A's name for 412. */
  public static final class RemoteFileChangedException extends PathIOException {
    private static final long serialVersionUID = 1;

    RemoteFileChangedException(Path path) {
      super(path.toString(), "Status Code: 412");
    }
  }

  /** S3A's name for 400 and 409 alike. */
  public static final class AWSBadRequestException extends IOException {
    private static final long serialVersionUID = 1;
    private final int status;

    AWSBadRequestException(int status) {
      super("Status Code: " + status);
      this.status = status;
    }

    public int statusCode() {
      return status;
    }
  }
}
