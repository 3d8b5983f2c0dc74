import { destination, type Logger, pino } from 'pino';

/** Logs as JSON lines on stderr: stdout is for what a command was asked to print. GATEHOUSE_LOG sets the level. */
export function logger(): Logger {
  const level = process.env['GATEHOUSE_LOG'] ?? 'info';
  return pino({ level: level in pino.levels.values ? level : 'info', base: null }, destination({ fd: 2, sync: true }));
}
