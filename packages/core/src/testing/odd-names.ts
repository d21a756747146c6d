/**
 * Names that some store might take for one another, or for something of its own. Each differs from all others, so each is
 * a queue, key or group of its own. None is longer than 255 bytes.
 */
export const ODD_NAMES: readonly string[] = [
  ...["q", "Q", " q", "q ", "q\0", "\0q", "q\n", "q\t", "''", '"', "`", "\\", "q;q", "q,q"],
  ...["..", ".", "../q", "q/..", "/", "q/", "/q", "q//q", "q/q", "./q", "C:\\q", "CON", "q.", "~", ".q"],
  ...["{q}", "{", "}", "q}:ready", "q:ready", "q:jobs", ":", "q:", "*", "?", "[q]", "q*", "%", "%71", "%2e%2e", "%00"],
  ...["$q", "$where", "q.$", "a.b", "a:b", "a-b", "a_b", "__proto__", "constructor", "prototype", "toString", "null"],
  ...["undefined", "0", "00", "-1", "1e0", "true", "\u00e9", "e\u0301", "\u212b", "\u00c5", "ß", "SS", "ı", "İ", "i"],
  ...["😀", "\u{1f469}\u200d\u{1f4bb}", "\u202eq", "\ufeffq", "q\u200b", "日本語", "\ud7ff", "\uffff", "zookeeper", "admin"],
];

/** Two names of 255 bytes of UTF-8 that differ in their last byte, of one-byte and of three-byte characters. */
export const LONGEST_NAMES: readonly string[] = [
  `${"x".repeat(254)}1`,
  `${"x".repeat(254)}2`,
  `${"語".repeat(84)}xx1`,
  `${"語".repeat(84)}xx2`,
  "/".repeat(255),
  "\0".repeat(255),
];
