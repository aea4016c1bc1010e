/** Sentences that the server makes from names and numbers, and their German. */
const SENTENCES: readonly (readonly [RegExp, string])[] = [
  [/^(.+) is high(: .*|)$/, '$1 ist zu hoch$2'],
  [/^(.+) is low(: .*|)$/, '$1 ist zu niedrig$2'],
  [/^nothing heard of (.+) for (\d+) s$/, 'seit $2 s nichts von $1 gehört'],
  [/^([^ ]+) high$/, '$1 zu hoch'],
  [/^([^ ]+) low$/, '$1 zu niedrig'],
];

/** The German of an English text: from `library`, or by the pattern of a sentence; the text itself when there is none. */
export function germanOf(text: string, library: Record<string, string>): string {
  const known = library[text];
  if (known) return known;
  if (text.endsWith('σ)')) return text.replaceAll(' high (', ' hoch (').replaceAll(' low (', ' niedrig (');
  const sentence = SENTENCES.find(([pattern]) => pattern.test(text));
  return sentence ? text.replace(...sentence) : text;
}
