package io.imagelake;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;
import org.apache.hadoop.fs.FsConstants;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;

/**
 * Hadoop's local file system, stopped between its look at the target and rename(2): what a process meets that the
 * scheduler, a full disk or a debugger holds up there. The first rename waits, all later ones go through.
 */
public final class PausedRename extends DelegateToFileSystem {
  static CountDownLatch reached;
  static CountDownLatch goOn;

  public PausedRename(URI uri, Configuration conf) throws IOException, URISyntaxException {
    super(FsConstants.LOCAL_FS_URI, new Raw(), conf, FsConstants.LOCAL_FS_URI.getScheme(), false);
  }

  @Override
  public boolean isValidName(String source) {
    return true;
  }

  private static final class Raw extends RawLocalFileSystem {
    @Override
    public boolean rename(Path source, Path target) throws IOException {
      if (reached.getCount() > 0) {
        reached.countDown();
        await(goOn);
      }
      return super.rename(source, target);
    }
  }

  static void await(CountDownLatch latch) throws IOException {
    try {
      if (!latch.await(60, TimeUnit.SECONDS)) {
        throw new IOException("the other writer never came");
      }
    } catch (InterruptedException e) {
      throw new IOException(e);
    }
  }
}
