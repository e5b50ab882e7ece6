import { describe, expect, it } from 'vitest';
import { pieces, visible } from './visible';

const rows: [string, string, string][] = [
  ['plain text is untouched', 'cat /etc/パスワード', 'cat /etc/パスワード'],
  ['right-to-left override', 'a\u202Egpj.exe', 'a⟨U+202E⟩gpj.exe'],
  ['isolates', '\u2066x\u2069', '⟨U+2066⟩x⟨U+2069⟩'],
  ['escape sequence', '\u001b[31m', '⟨\\e⟩[31m'],
  ['newline and tab', 'a\nb\tc', 'a⟨\\n⟩b⟨\\t⟩c'],
  ['zero width', 'ro\u200Bot', 'ro⟨U+200B⟩ot'],
  ['C1 and DEL', '\u0085\u007f', '⟨U+0085⟩⟨U+007F⟩'],
  ['lone surrogate', '\ud800x', '⟨U+D800⟩x'],
  ['tag characters', '\u{e0041}', '⟨U+E0041⟩'],
  ['empty', '', ''],
];

describe('visible', () => {
  it.each(rows)('%s', (_name, input, expected) => {
    expect(visible(input)).toBe(expected);
  });
  it('keeps plain runs in one piece', () => {
    expect(pieces('ab\u202ecd')).toEqual([
      { text: 'ab', hidden: false },
      { text: 'U+202E', hidden: true },
      { text: 'cd', hidden: false },
    ]);
  });
});
