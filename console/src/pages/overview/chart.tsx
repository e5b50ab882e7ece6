/* Events per minute as a quiet area chart. Canvas is for the eye; the label says the same in words. */
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useTexts } from '../../i18n';
import { minutesAxis, minuteText, numberText } from '../../lib/time';

const HEIGHT = 180;

function css(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function EventsChart({ perMinute }: { perMinute: number[] }) {
  const { t, lang } = useTexts();
  const box = useRef<HTMLDivElement>(null);
  const data = useRef(perMinute);
  const plot = useRef<uPlot | null>(null);
  data.current = perMinute;

  useEffect(() => {
    const host = box.current;
    if (!host) return;
    const build = () => {
      plot.current?.destroy();
      const axis = { stroke: css('--muted'), font: `11px ${css('--font')}`, grid: { stroke: css('--line'), width: 1 }, ticks: { show: false } };
      plot.current = new uPlot(
        {
          width: host.clientWidth,
          height: HEIGHT,
          cursor: { show: false },
          legend: { show: false },
          scales: { x: { time: true }, y: { range: (_u, _min, max) => [0, Math.max(5, max * 1.15)] } },
          axes: [
            { ...axis, size: 28, space: 70, grid: { show: false }, values: (_u, ticks) => ticks.map((s) => minuteText(new Date(s * 1000), lang)) },
            { ...axis, size: 52, space: 40, values: (_u, ticks) => ticks.map((n) => numberText(n, lang)) },
          ],
          series: [{}, { stroke: css('--chart'), fill: css('--chart-fill'), width: 2, points: { show: false } }],
        },
        [minutesAxis(data.current.length, Date.now()), data.current],
        host,
      );
    };
    build();
    const resize = new ResizeObserver(() => plot.current?.setSize({ width: host.clientWidth, height: HEIGHT }));
    const theme = new MutationObserver(build);
    resize.observe(host);
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    return () => {
      resize.disconnect();
      theme.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [lang]);

  useEffect(() => {
    plot.current?.setData([minutesAxis(perMinute.length, Date.now()), perMinute]);
  }, [perMinute]);

  const max = numberText(Math.max(0, ...perMinute), lang);
  const last = numberText(perMinute[perMinute.length - 1] ?? 0, lang);
  return <div ref={box} className="chart" role="img" aria-label={t('overview.eventsChart', { max, last })} />;
}
