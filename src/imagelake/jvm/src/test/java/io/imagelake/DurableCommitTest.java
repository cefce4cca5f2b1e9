package io.imagelake;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a commit names is on disk before the commit is: the order of the syncs and of the link is observed. */
class DurableCommitTest {
  private final Configuration conf = new Configuration();
  private final List<String> order = new ArrayList<>();
  @TempDir private Path folder;

  @Test
  void dataFilesAndTheirFoldersAreSyncedBeforeTheCommitIsLinked() throws IOException {
    put("dataset=pets/a.parquet");
    put("dataset=a b/_change_data/c.parquet");
    put(".b.parquet.crc");
    put("b.parquet");

    commit(
        1,
        "{\"commitInfo\":{\"operation\":\"WRITE\"}}",
        "{\"add\":{\"path\":\"dataset=pets/a.parquet\",\"size\":1}}",
        "{\"cdc\":{\"path\":\"dataset=a%20b/_change_data/c.parquet\",\"size\":1}}",
        "{\"remove\":{\"path\":\"gone.parquet\"}}",
        "{\"add\":{\"partitionValues\":{\"path\":\"]}\\\"\"},\"path\":\"b.p\\u0061rquet\"}}");

    assertEquals(
        List.of(
            "dataset=pets/a.parquet",
            "dataset=a b/_change_data/c.parquet",
            "b.parquet",
            ".b.parquet.crc",
            "dataset=pets",
            "",
            "dataset=a b/_change_data",
            "dataset=a b",
            "link",
            "_delta_log"),
        order);
  }

  @Test
  void aFileThatIsNotInTheTableButOnThisDiskIsSyncedToo() throws IOException {
    Path elsewhere = Files.createDirectory(folder.resolve("else where")).resolve("a.parquet");
    Files.writeString(elsewhere, "rows");

    commit(1, "{\"add\":{\"path\":\"" + elsewhere.toUri() + "\"}}", "{\"add\":{\"path\":\"s3a://bucket/b.parquet\"}}");

    assertEquals(List.of("../else where/a.parquet", "../else where", "link", "_delta_log"), order);
  }

  @Test
  void withTheFirstCommitTheFoldersAboveTheTableAreSyncedAsWell() throws IOException {
    commit(0, "{\"protocol\":{\"minReaderVersion\":1}}");

    assertEquals(List.of("", "..", "../.."), order.subList(0, 3));
    assertEquals(List.of("link", "_delta_log"), order.subList(order.size() - 2, order.size()));
  }

  @Test
  void aMissingDataFileRefusesTheCommit() throws IOException {
    IOException told = assertThrows(IOException.class, () -> commit(1, "{\"add\":{\"path\":\"lost.parquet\"}}"));

    assertFalse(told instanceof FileAlreadyExistsException, "Delta would take it for another writer's commit");
    assertTrue(told.getMessage().contains("lost.parquet, which does not exist: nothing is committed"));
    try (Stream<Path> left = Files.list(table().resolve("_delta_log"))) {
      assertEquals(List.of(), left.toList());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"{\"add\":{\"path\":\"a", "{\"add\":{\"size\":1}}", "{\"add\":{\"path\":\"\\u00g0\"}}", "{\"add"})
  void anActionThatCannotBeReadRefusesTheCommit(String action) {
    IOException told = assertThrows(IOException.class, () -> commit(1, action));

    assertTrue(told.getMessage().contains("is not valid JSON near character"), told.getMessage());
    assertEquals(List.of(), order);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "", "text", "{}", " { \"txn\" : {\"path\":\"a\"} } ", "{\"remove\":{\"path\":\"a\"}}", "{\"add\":null}",
        "{\"metaData\":{\"add\":{\"path\":\"a\"},\"x\":[1,true,\"}\"]},\"more\":-1.5e3}"
      })
  void otherActionsAddNoFile(String action) throws IOException {
    assertNull(AddedFile.uriIn(action));
  }

  @Test
  void checkpointsAreSyncedBeforeThePointerToThem() throws IOException {
    put("_delta_log/00000000000000000010.checkpoint.parquet");
    put("_delta_log/00000000000000000010.json");

    write("_last_checkpoint", true, "{\"version\":10,\"size\":3}");

    assertEquals(
        List.of("_delta_log/00000000000000000010.checkpoint.parquet", "_delta_log", "link", "_delta_log"), order);
  }

  private void commit(int version, String... actions) throws IOException {
    write(String.format("%020d.json", version), false, actions);
  }

  private void write(String name, boolean overwrite, String... actions) throws IOException {
    Path target = table().resolve("_delta_log").resolve(name);
    Files.createDirectories(target.getParent());
    var path = new org.apache.hadoop.fs.Path(new org.apache.hadoop.fs.Path(target.getParent().toUri()), name);
    new Watched().write(path, List.of(actions).iterator(), overwrite, conf);
    assertTrue(Files.exists(target));
  }

  private Path table() {
    return folder.resolve("a table");
  }

  private void put(String name) throws IOException {
    Path file = table().resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, "rows");
  }

  /** Notes what is synced, by its path from the table, and when the commit gets its name. */
  private final class Watched extends LinkLogStore {
    Watched() {
      super(conf);
    }

    @Override
    void sync(Path fileOrFolder) throws IOException {
      super.sync(fileOrFolder);
      order.add(table().relativize(fileOrFolder).toString());
    }

    @Override
    void beforePublish(Path target) throws IOException {
      assertFalse(Files.exists(target));
      order.add("link");
    }
  }
}
