import type { Logger } from 'pino';
import type { Alert, Rollback } from '../../../audit/alerts/alert.ts';
import { Courier, type CourierStats } from '../../../audit/alerts/courier.ts';
import { AlertEngine, type EngineStats } from '../../../audit/alerts/engine.ts';
import { AlertStore } from '../../../audit/alerts/store.ts';
import type { Observer } from '../../../audit/intake/sink.ts';
import { systemAfter } from '../../../ca/federation/following.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { AlertSettings } from './settings.ts';
import { strictness } from './strict.ts';
import { post } from './webhook.ts';

export interface RunningAlerts extends Observer {
  rolledBack(rollback: Rollback): void;
  stats(): { readonly engine: EngineStats; readonly webhooks: ReadonlyMap<string, CourierStats> };
  close(): void;
}

export interface AlertsAround {
  /** Where what was told is kept. */
  readonly file: string;
  readonly snapshot: () => Snapshot;
  readonly clock: () => Date;
  readonly log: Logger;
}

/** Alerts of `--alerts`: to the log, and to webhooks, over restarts. @throws Error when what was told cannot be kept */
export function startAlerts({ rules, webhooks }: AlertSettings, { file, snapshot, clock, log }: AlertsAround): RunningAlerts {
  const store = new AlertStore(file, clock());
  // A disk that is full must not end the calls that are looked at; what cannot be kept is told again after a restart.
  const kept = (what: () => void): void => {
    try {
      what();
    } catch (error) {
      log.error({ error }, 'what was alerted cannot be kept');
    }
  };
  const couriers = new Map(
    webhooks.map((webhook) => [
      webhook.name,
      new Courier({
        name: webhook.name,
        send: (message) => post(webhook, message, clock),
        done: ({ id }) => kept(() => store.done(webhook.name, id)),
        clock,
        after: systemAfter,
        random: Math.random,
        log,
      }),
    ]),
  );
  const send = (alert: Alert): void => {
    log.warn({ alert }, alert.summary);
    const message = { id: alert.id, body: JSON.stringify({ version: 1, ...alert }), at: Date.parse(alert.at) };
    for (const courier of couriers.values()) courier.take(message);
  };
  const engine = new AlertEngine({
    rules,
    state: store.state,
    clock,
    strict: strictness(snapshot),
    keep(told, alerts) {
      const pending = alerts.flatMap((alert) =>
        [...couriers.keys()].map((webhook) => ({
          webhook,
          id: alert.id,
          body: JSON.stringify({ version: 1, ...alert }),
          at: Date.parse(alert.at),
        })),
      );
      kept(() => store.keep(told, pending));
      for (const alert of alerts) send(alert);
    },
  });
  for (const [name, courier] of couriers) for (const message of store.pendingFor(name)) courier.take(message);
  return {
    observe: (records) => engine.observe(records),
    rolledBack: (rollback) => engine.rolledBack(rollback),
    stats: () => ({ engine: engine.stats, webhooks: new Map([...couriers].map(([name, { stats }]) => [name, stats])) }),
    close() {
      for (const courier of couriers.values()) courier.close();
      store.close();
    },
  };
}
