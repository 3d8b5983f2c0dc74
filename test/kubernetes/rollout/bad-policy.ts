import assert from 'node:assert/strict';
import { eventually } from '../../eventually.ts';
import type { ApiServer } from '../api-server.ts';
import type { ReplicaMesh } from '../replica-mesh.ts';

const POLICY = 'no-client';

/** Of somebody else: whom the client calls refuses it from now on. */
const NO_CLIENT = Object.freeze({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name: POLICY, namespace: 'shop' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    action: 'DENY',
    rules: [{ from: [{ source: { principals: ['cluster.local/ns/shop/sa/client'] } }] }],
  },
});

/** Applies a policy that cuts the client off, and waits until it is taken back, which may take 10 s from the first denial. */
export async function takesBackBadPolicy(api: ApiServer, mesh: ReplicaMesh, net: string): Promise<void> {
  const denied: number[] = [];
  await api.apply(NO_CLIENT);
  const recovered = await eventually(
    'requests are refused, and then answered again',
    async () => {
      const failure = await mesh.call(net);
      if (failure !== undefined) denied.push(performance.now());
      return failure === undefined && denied.length > 0 ? performance.now() : undefined;
    },
    60_000,
  ).catch((error: unknown) =>
    assert.fail(`${String(error)}\n${mesh.replicas.map(({ serve }) => serve.errors.slice(-4000)).join('\n')}`),
  );
  const tookMs = recovered - (denied[0] ?? Number.NaN);
  assert.ok(tookMs < 10_000, `${tookMs} ms`);
  process.stdout.write(`      taken back ${Math.round(tookMs)} ms after the first denial, ${denied.length} denied\n`);
  const { stdout } = await api.kubectl(['get', 'authorizationpolicy', POLICY, '-n', 'shop', '-o', 'json']);
  const { metadata, spec }: { metadata: { annotations: Record<string, string> }; spec: { action: string } } = JSON.parse(stdout);
  assert.equal(metadata.annotations['istio.io/dry-run'], 'true');
  assert.equal(spec.action, 'DENY', 'nothing else of it is changed');
}

export async function removeBadPolicy(api: ApiServer): Promise<void> {
  const { code, stderr } = await api.kubectl(['delete', 'authorizationpolicy', POLICY, '-n', 'shop']);
  assert.equal(code, 0, stderr);
}
