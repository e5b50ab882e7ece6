/* How bad a story is: a number, a bar and a word, never colour alone. */
import { useTexts } from '../../i18n';
import { Badge } from '../../ui/badges';

const levels = [
  { from: 75, key: 'story.riskHigh', tone: 'solid' },
  { from: 50, key: 'story.riskRaised', tone: 'bad' },
  { from: 25, key: 'story.riskSome', tone: 'warn' },
  { from: 0, key: 'story.riskLow', tone: 'calm' },
] as const;

export function RiskBadge({ risk }: { risk: number }) {
  const { t } = useTexts();
  const level = levels.find((l) => risk >= l.from) ?? levels[3];
  return (
    <Badge tone={level.tone}>
      <svg width="30" height="8" viewBox="0 0 30 8" aria-hidden="true">
        <rect width="30" height="8" rx="2" fill="currentColor" opacity="0.25" />
        <rect width={(30 * Math.min(100, risk)) / 100} height="8" rx="2" fill="currentColor" />
      </svg>
      <span className="num">{risk}</span> {t(level.key)}
    </Badge>
  );
}
