import { describe, expect, it } from 'vitest';
import type { AlertDetail } from '../../api/types';
import { literal, suggestion } from './except';

const alert = (image: string, command_line: string) => ({ process: { image, command_line } }) as AlertDetail;

describe('an exception made from an alert', () => {
  it('keeps wildcards and quotes literal', () => {
    expect(literal("a*b?c\\d'e")).toBe("'a\\*b\\?c\\\\d''e'");
  });
  it('is as narrow as the alert', () => {
    expect(suggestion(alert('/usr/bin/tar', 'tar c *'))).toBe("process.image: '/usr/bin/tar'\nprocess.command_line: 'tar c \\*'");
  });
  it('leaves out what does not fit on a line', () => {
    expect(suggestion(alert('/bin/sh', 'sh -c a\nb'))).toBe("process.image: '/bin/sh'");
  });
});
