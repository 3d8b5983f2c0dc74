import { Gauge, type Registry } from 'prom-client';
import type { KeysStatus } from '../../../policy/jwks/keeper.ts';

/** How it stands with the keys of token issuers. Sources that are told apart only by their time limit are one line, the worse one. */
export function tokenKeyMetrics(registry: Registry, sources: () => readonly KeysStatus[]): void {
  const each = (name: string, help: string, value: (one: KeysStatus) => number, worse: (...values: number[]) => number): void => {
    const made: Gauge<'location'> = new Gauge({
      name,
      help,
      labelNames: ['location'],
      registers: [registry],
      collect: () => {
        made.reset();
        const byLocation = Map.groupBy(sources(), ({ location }) => location);
        for (const [location, all] of byLocation) made.set({ location }, worse(...all.map(value)));
      },
    });
  };
  each(
    'gatehouse_jwks_keys',
    'keys of a token issuer that proxies verify with; 0: its tokens are refused',
    ({ keys }) => keys,
    Math.min,
  );
  each(
    'gatehouse_jwks_failures',
    'failed attempts to fetch them since the last that worked',
    ({ failures }) => failures,
    Math.max,
  );
  each(
    'gatehouse_jwks_fetched_timestamp_seconds',
    'when they were fetched last; 0: never',
    ({ fetchedAt }) => (fetchedAt ?? 0) / 1000,
    Math.min,
  );
}
