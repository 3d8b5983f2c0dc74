import { Counter, Gauge, type Registry } from 'prom-client';
import type { RunningAlerts } from './start.ts';

export function alertMetrics(registry: Registry, alerts: Pick<RunningAlerts, 'stats'>): void {
  const found: Counter<'kind'> = new Counter({
    name: 'gatehouse_alerts_total',
    help: 'alerts that were made, with those that were too many at once',
    labelNames: ['kind'],
    registers: [registry],
    collect: () => {
      found.reset();
      for (const [kind, count] of Object.entries(alerts.stats().engine.found)) found.inc({ kind }, count);
    },
  });
  const suppressed: Counter = new Counter({
    name: 'gatehouse_alerts_suppressed_total',
    help: 'alerts that were not told because there were too many in one minute',
    registers: [registry],
    collect: () => {
      suppressed.reset();
      suppressed.inc(alerts.stats().engine.suppressed);
    },
  });
  const outcomes: Counter<'webhook' | 'outcome'> = new Counter({
    name: 'gatehouse_alert_deliveries_total',
    help: 'what became of messages to webhooks: delivered, failed (and tried again), dropped',
    labelNames: ['webhook', 'outcome'],
    registers: [registry],
    collect: () => {
      outcomes.reset();
      for (const [webhook, { delivered, failedTries, dropped }] of alerts.stats().webhooks)
        for (const [outcome, count] of Object.entries({ delivered, failed: failedTries, dropped }))
          outcomes.inc({ webhook, outcome }, count);
    },
  });
  const waiting: Gauge<'webhook'> = new Gauge({
    name: 'gatehouse_alerts_waiting',
    help: 'messages that a webhook has not taken yet',
    labelNames: ['webhook'],
    registers: [registry],
    collect: () => {
      for (const [webhook, stats] of alerts.stats().webhooks) waiting.set({ webhook }, stats.waiting);
    },
  });
}
