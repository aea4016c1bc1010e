import { describe, expect, test } from 'vitest';
import { messages } from './messages';

const files = import.meta.glob<string>('./**/*.{svelte,ts}', { query: '?raw', import: 'default', eager: true });
const SOURCES = Object.entries(files).filter(([file]) => !/messages|schema|\.test/.test(file));
const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

describe('every text exists in both languages', () => {
  test.each(Object.entries(messages))('%s', (_, [english, german]) => {
    expect(english.trim()).not.toBe('');
    expect(german.trim()).not.toBe('');
    expect(placeholders(german)).toEqual(placeholders(english));
  });
});

test('every text is used, by its key or by the prefix of a code', () => {
  const code = SOURCES.map(([, text]) => text).join('\n');
  const prefixes = [...code.matchAll(/word\('(\w+)'|t\(`(\w+_)\$\{|t\(`\$\{[^}]+\}(_\w+)`/g)].flatMap((match) => [match[1] && `${match[1]}_`, match[2]]).filter(Boolean) as string[];
  const unused = Object.keys(messages).filter((key) => !new RegExp(`['"\`]${key}['"\`]|\\b${key}: `).test(code) && !prefixes.some((prefix) => key.startsWith(prefix)) && !key.endsWith('_means'));
  expect(unused).toEqual([]);
});

describe('no text stands outside the catalogue', () => {
  /** Names and keys of a keyboard are the same in every language. */
  const ALLOWED = new Set(['Fettler', 'English', 'Deutsch', 'EN', 'DE', 'Webhook', 'MQTT', 'Ctrl', 'Enter', 'Ctrl ↵', '(Ctrl K)']);
  test.each(SOURCES.filter(([file]) => file.endsWith('.svelte')))('%s', (_, text) => {
    const markup = text.replace(/<script[\s\S]*?<\/script>/g, '').replace(/<style[\s\S]*?<\/style>/g, '').replace(/<!--[\s\S]*?-->/g, '');
    const bare = withoutBraces(markup);
    const texts = [...bare.matchAll(/>([^<>]*[A-Za-zÄÖÜäöü]{2,}[^<>]*)</g), ...bare.matchAll(/(?:aria-label|title|placeholder|alt)="([^"]*[A-Za-z]{2,}[^"]*)"/g)].map((match) => match[1]!.replace(/&\w+;/g, '').trim());
    expect(texts.filter((text) => !ALLOWED.has(text.replace(/^[\s·]+|[\s·]+$/g, '')) && !/^[a-z0-9_*/:= .]+$/.test(text))).toEqual([]);
  });
});

/** Markup without its `{…}` expressions, however deep they nest. */
function withoutBraces(markup: string): string {
  let depth = 0;
  let out = '';
  for (const letter of markup) {
    if (letter === '{') depth += 1;
    else if (letter === '}') depth -= 1;
    else if (depth === 0) out += letter;
  }
  return out;
}
