package io.imagelake;

import java.io.IOException;

/**
 * Reads which file an action of a Delta log adds to its table: the member {@code path} of {@code add} or {@code cdc}.
 * Delta writes it first, so that the statistics behind it are hardly ever read.
 */
final class AddedFile {
  private static final String BLANKS = " \t\r\n";
  private final String text;
  private int at;

  private AddedFile(String text) {
    this.text = text;
  }

  /**
   * The URI that the action, one line of JSON, names: relative to the table, percent-encoded. Null for an action that
   * adds no file, and for a line that is not an object. An object that is damaged is an {@link IOException}.
   */
  static String uriIn(String action) throws IOException {
    AddedFile reader = new AddedFile(action);
    reader.skipBlanks();
    return reader.isAtEnd() || reader.peek() != '{' ? null : reader.uriOfAction();
  }

  private String uriOfAction() throws IOException {
    for (String name = firstName(); name != null; name = nextName()) {
      if (("add".equals(name) || "cdc".equals(name)) && peek() == '{') {
        return uriOfFile();
      }
      skipValue();
    }
    return null;
  }

  private String uriOfFile() throws IOException {
    for (String name = firstName(); name != null; name = nextName()) {
      if ("path".equals(name)) {
        return string();
      }
      skipValue();
    }
    throw damaged();
  }

  /** The name of an object's first member, with its value next; null when the object is empty. */
  private String firstName() throws IOException {
    expect('{');
    skipBlanks();
    if (peek() == '}') {
      at++;
      return null;
    }
    return name();
  }

  private String nextName() throws IOException {
    skipBlanks();
    if (peek() == '}') {
      at++;
      return null;
    }
    expect(',');
    return name();
  }

  private String name() throws IOException {
    skipBlanks();
    String name = string();
    skipBlanks();
    expect(':');
    skipBlanks();
    return name;
  }

  private void skipValue() throws IOException {
    int depth = 0;
    do {
      char c = peek();
      if (c == '"') {
        string();
        continue;
      }
      at++;
      if (c == '{' || c == '[') {
        depth++;
      } else if (c == '}' || c == ']') {
        depth--;
      }
    } while (depth > 0 || ",}]".indexOf(peek()) < 0);
  }

  private String string() throws IOException {
    expect('"');
    StringBuilder value = new StringBuilder();
    while (peek() != '"') {
      char c = next();
      value.append(c == '\\' ? escaped(next()) : c);
    }
    at++;
    return value.toString();
  }

  private char escaped(char c) throws IOException {
    switch (c) {
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'u':
        return codeUnit();
      default:
        return c;
    }
  }

  private char codeUnit() throws IOException {
    int value = 0;
    for (int digit = 0; digit < 4; digit++) {
      int number = Character.digit(next(), 16);
      if (number < 0) {
        throw damaged();
      }
      value = value * 16 + number;
    }
    return (char) value;
  }

  private void skipBlanks() {
    while (!isAtEnd() && BLANKS.indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private boolean isAtEnd() {
    return at >= text.length();
  }

  private char peek() throws IOException {
    if (isAtEnd()) {
      throw damaged();
    }
    return text.charAt(at);
  }

  private char next() throws IOException {
    char c = peek();
    at++;
    return c;
  }

  private void expect(char wanted) throws IOException {
    if (next() != wanted) {
      throw damaged();
    }
  }

  private IOException damaged() {
    String start = text.length() > 200 ? text.substring(0, 200) + "…" : text;
    return new IOException("an action of a commit is not valid JSON near character " + at + ": " + start);
  }
}
