/* Text that came from an endpoint, made safe to look at. Owns: which characters deceive the eye.
 * An attacker chooses file names and command lines; a right-to-left override or an escape sequence
 * must be seen, not obeyed. */

export interface Piece {
  text: string;
  hidden: boolean;
}

const named: Record<number, string> = { 0x09: '\\t', 0x0a: '\\n', 0x0d: '\\r', 0x1b: '\\e' };

/* C0, DEL, C1, soft hyphen, Arabic letter mark, zero widths, bidi controls, line/paragraph
 * separators, invisible operators, BOM, interlinear marks, tags, variation selectors beyond text. */
function deceives(cp: number): boolean {
  return (
    cp < 0x20 ||
    (cp >= 0x7f && cp <= 0x9f) ||
    cp === 0xad ||
    cp === 0x61c ||
    cp === 0x115f ||
    cp === 0x1160 ||
    cp === 0x180e ||
    cp === 0x3164 ||
    cp === 0xffa0 ||
    (cp >= 0x200b && cp <= 0x200f) ||
    (cp >= 0x2028 && cp <= 0x202e) ||
    (cp >= 0x2060 && cp <= 0x206f) ||
    cp === 0xfeff ||
    (cp >= 0xfff9 && cp <= 0xfffb) ||
    (cp >= 0xd800 && cp <= 0xdfff) ||
    (cp >= 0xe0000 && cp <= 0xe0fff)
  );
}

function spell(cp: number): string {
  return named[cp] ?? `U+${cp.toString(16).toUpperCase().padStart(4, '0')}`;
}

export function pieces(text: string): Piece[] {
  const out: Piece[] = [];
  let plain = '';
  for (const ch of text) {
    const cp = ch.codePointAt(0) ?? 0;
    if (!deceives(cp)) {
      plain += ch;
      continue;
    }
    if (plain) out.push({ text: plain, hidden: false });
    plain = '';
    out.push({ text: spell(cp), hidden: true });
  }
  if (plain) out.push({ text: plain, hidden: false });
  return out;
}

/* The same as one string, for places that take no markup (titles, accessible names, the clipboard
 * of a table row). */
export function visible(text: string): string {
  return pieces(text)
    .map((p) => (p.hidden ? `⟨${p.text}⟩` : p.text))
    .join('');
}
