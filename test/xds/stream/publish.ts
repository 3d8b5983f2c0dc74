import type { ResourceSet } from '../../../xds/resource-set.ts';
import { eventually } from '../../eventually.ts';
import type { Running } from './server.ts';

/** Publishes what the one proxy is to have, and waits until it has answered. */
export async function publishTo(running: Running, set: ResourceSet): Promise<void> {
  const snapshot = running.source.publish(set);
  await eventually(`Envoy has answered snapshot ${snapshot}`, () =>
    (running.only()?.acknowledged ?? 0) >= snapshot ? true : undefined,
  );
}
