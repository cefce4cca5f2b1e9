package io.imagelake;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** One writer of a race: tries to commit each version once. `main` makes it a process of its own. */
final class Racer {
  private Racer() {}

  public static void main(String[] args) throws IOException {
    System.out.println("ready");
    // the other process is ready as well when this line arrives
    System.in.read();
    for (int version : race(new Path(args[0]), args[1], Integer.parseInt(args[2]))) {
      System.out.println(version);
    }
  }

  /** The versions that this writer was told it has committed. */
  static List<Integer> race(Path log, String name, int versions) throws IOException {
    Configuration conf = new Configuration();
    LinkLogStore store = new LinkLogStore(conf);
    List<Integer> won = new ArrayList<>();
    for (int version = 0; version < versions; version++) {
      Path commit = new Path(log, String.format("%020d.json", version));
      try {
        store.write(commit, List.of(name).iterator(), false, conf);
        won.add(version);
      } catch (FileAlreadyExistsException e) {
        // the other one was faster
      }
    }
    return won;
  }
}
