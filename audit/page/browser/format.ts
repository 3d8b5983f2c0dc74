import { visible } from '../../report/visible.ts';

const NUMBER = new Intl.NumberFormat('en');
const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export function number(value: number): string {
  return NUMBER.format(value);
}

export function short(value: number): string {
  return value < 10_000 ? NUMBER.format(value) : SHORT.format(value);
}

/** For the smallest of places. */
export function compact(value: number): string {
  return value < 1000 ? NUMBER.format(value) : SHORT.format(value);
}

export function counted(value: number, one: string, many = `${one}s`): string {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/** What callers chose, so that it can neither steer nor reorder what is read. */
export function told(text: string): string {
  return visible(text);
}

export function cut(text: string, most: number): string {
  const shown = told(text);
  return shown.length <= most ? shown : `${shown.slice(0, most - 1)}…`;
}

export function milliseconds(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 100 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
}

export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [count, 0];
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
}

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' });

export function clockTime(ms: number): string {
  return TIME.format(ms);
}

export function moment(ms: number): string {
  return MOMENT.format(ms);
}

export function duration(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 90) return counted(seconds, 'second');
  if (seconds < 5400) return counted(Math.round(seconds / 60), 'minute');
  if (seconds < 129_600) return counted(Math.round(seconds / 3600), 'hour');
  return counted(Math.round(seconds / 86_400), 'day');
}

export function ago(iso: string | null, now: number): string {
  if (iso === null) return 'never';
  const ms = now - Date.parse(iso);
  return ms < 2000 ? 'just now' : `${duration(ms)} ago`;
}
