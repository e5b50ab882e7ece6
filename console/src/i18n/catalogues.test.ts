import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import en from './en.json';
import ja from './ja.json';

const jaTexts = ja as Record<string, string>;
const enTexts = en as Record<string, string>;
const holes = (s: string) => (s.match(/\{\{\w+\}\}/g) ?? []).sort().join();

function sources(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return sources(path);
    return /\.tsx?$/.test(name) && !name.includes('.test.') && !name.endsWith('.d.ts') ? [path] : [];
  });
}

describe('catalogues', () => {
  it('have the same keys in the same order', () => {
    expect(Object.keys(enTexts)).toEqual(Object.keys(jaTexts));
  });
  it('have no empty text and the same placeholders', () => {
    for (const [key, text] of Object.entries(jaTexts)) {
      expect(text.trim(), key).not.toBe('');
      expect(enTexts[key]?.trim(), key).not.toBe('');
      expect(holes(enTexts[key] ?? ''), key).toBe(holes(text));
    }
  });
  it('hold every key that the code names', () => {
    const missing: string[] = [];
    for (const path of sources('src')) {
      const code = readFileSync(path, 'utf8');
      for (const m of code.matchAll(/\bt\('([^']+)'/g)) if (m[1] && !(m[1] in jaTexts)) missing.push(`${path}: ${m[1]}`);
    }
    expect(missing).toEqual([]);
  });
  it('are the only place of Japanese text', () => {
    const strays = sources('src').filter((path) => /[\u3040-\u30ff\u4e00-\u9fff]/.test(readFileSync(path, 'utf8')));
    expect(strays).toEqual([]);
  });
  it('name every field, class and action of the event table', () => {
    const def = (file: string) => readFileSync(join('..', 'src', 'event', file), 'utf8');
    for (const m of def('fields.def').matchAll(/^F\(\d+, \w+, "([^"]+)"/gm)) expect(jaTexts[`field.${m[1]}`], m[1]).toBeTruthy();
    for (const m of def('classes.def').matchAll(/^C\(\d+, \w+, "([^"]+)"/gm)) expect(jaTexts[`class.${m[1]}`], m[1]).toBeTruthy();
    for (const m of def('actions.def').matchAll(/^A\(\d+, \w+, (\w+), "([^"]+)"/gm)) {
      const key = `action.${m[1]?.toLowerCase()}.${m[2]}`;
      expect(jaTexts[key], key).toBeTruthy();
    }
  });
});
