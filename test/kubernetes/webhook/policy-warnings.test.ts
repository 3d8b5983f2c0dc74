import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Observed, Question } from '../../../audit/store/store.ts';
import { openAuthority, type Authority } from '../../../ca/authority.ts';
import { PolicyWarnings } from '../../../cli/serve/policy-warnings.ts';
import { type RunningWebhooks, startWebhooks } from '../../../cli/serve/webhooks.ts';
import { apiClient, type ApiClient } from '../../../kubernetes/api/client.ts';
import { clusterAccess } from '../../../kubernetes/api/connect.ts';
import { DEFAULTS } from '../../../kubernetes/install/options.ts';
import { validator } from '../../../kubernetes/install/webhooks.ts';
import { DEFAULT_MESH_CONFIG } from '../../../mesh/admit/mesh-config.ts';
import { edge } from '../../audit/edges.ts';
import { eventually } from '../../eventually.ts';
import { meshWith, policyYaml } from '../../policy/observed/mesh.ts';
import { at, withApiServer } from '../api-server.ts';
import { looseDefinition } from '../definition.ts';
import { webhooksHere } from '../webhooks-here.ts';

/** Calls to shop/app that were let through, the last of them three minutes ago. */
function recorded({ filter }: Question): Observed {
  assert.deepEqual(filter, { to: { namespace: 'shop' } });
  const seen = { time: Date.now() - 185_000, verdict: { kind: 'allowed-no-policy' } } as const;
  const post = { ...seen, method: 'POST', template: '/users/{id}' };
  const one = edge(post);
  const plain = edge({ ...post, mtls: false, source: { principal: undefined, workload: undefined, address: '10.9.9.9' } });
  return { edges: [{ ...one, tally: { ...one.tally, count: 1203 } }, plain, edge(seen)], losses: [], gaps: [] };
}

const policy = (rules: readonly object[], metadata: object = {}): object => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name: 'app', namespace: 'shop', ...metadata },
  spec: { selector: { matchLabels: { app: 'app' } }, rules },
});
const GET = [{ to: [{ operation: { methods: ['GET'] } }] }];
const STRICT = {
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'strict', namespace: 'shop' },
  spec: { mtls: { mode: 'STRICT' } },
};

describe('webhooks: changes of policies through a real API server, and what they deny', function () {
  this.timeout(240_000);
  const api = withApiServer();
  let dir: string;
  let authority: Authority;
  let client: ApiClient;
  let webhooks: RunningWebhooks;
  let warnings: PolicyWarnings;
  let mesh = meshWith();
  let records: typeof recorded | 'never' = recorded;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-policy-warnings-'));
    const log = pino({ level: 'silent' });
    authority = await openAuthority({ dir, trustDomain: DEFAULT_MESH_CONFIG.trustDomain, clock: () => new Date(), log });
    client = apiClient(await clusterAccess({ file: api().kubeconfig, context: undefined }));
    warnings = new PolicyWarnings({
      snapshot: () => mesh.snapshot,
      store: { query: (question) => (records === 'never' ? new Promise(() => undefined) : Promise.resolve(records(question))) },
      clock: () => new Date(),
    });
    webhooks = await startWebhooks(
      { address: { host: '127.0.0.1', port: 0 }, revision: 'default', proxyImage: 'registry.test/proxy:1', values: undefined },
      {
        cluster: { client, systemNamespace: 'gatehouse-system' },
        authority,
        meshConfig: () => DEFAULT_MESH_CONFIG,
        meshConfigFile: undefined,
        advertise: [],
        policyWarnings: warnings,
        log,
      },
    );
    await api().apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    await api().apply(looseDefinition('security.istio.io', 'AuthorizationPolicy', { plural: 'authorizationpolicies' }));
    await api().apply(looseDefinition('security.istio.io', 'PeerAuthentication'));
    await api().apply(webhooksHere(validator(DEFAULTS), webhooks.address.port));
    await eventually('the configuration has the roots, and the API server asks', async () => {
      await webhooks.look();
      const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/gatehouse-validator';
      const { body } = await api().request('GET', path);
      if (at(body, 'webhooks', '0', 'clientConfig', 'caBundle') === undefined) return undefined;
      await api().apply(policy([{}], { name: 'asked' }));
      const before = warnings.counts.answered;
      await api().request('DELETE', '/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies/asked');
      return warnings.counts.answered > before ? true : undefined;
    });
  });
  after(async () => {
    await webhooks?.close();
    client?.close();
    await authority?.close();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  it('kubectl shows which calls that were seen a policy denies, and the policy is taken', async () => {
    const shown = await api().apply(policy(GET));
    assert.match(
      shown,
      /Warning: this denies 2 observed edges: shop\/web -> shop\/app POST \/users\/\{id\} \(1,203 calls, last 3 min(?: \d+ s)? ago\), 10\.9\.9\.9 -> shop\/app POST/,
    );
    assert.match(shown, /created/);
    const annotated = { annotations: { 'istio.io/dry-run': 'true' } };
    assert.match(await api().apply(policy(GET, annotated)), /Warning: enforced, this would deny 2 observed edges/);
    assert.doesNotMatch(await api().apply(policy([{}])), /observed/);
    assert.match(await api().apply(STRICT), /Warning: this denies 1 observed edge: 10\.9\.9\.9 -> shop\/app POST/);
  });

  it('taking a policy away may deny as well', async () => {
    mesh = meshWith(
      policyYaml('AuthorizationPolicy', 'nothing', '{selector: {matchLabels: {app: app}}}'),
      policyYaml('AuthorizationPolicy', 'app', '{selector: {matchLabels: {app: app}}, rules: [{}]}'),
    );
    const shown = await warnings.of({
      uid: '1',
      kind: { group: 'security.istio.io', version: 'v1', kind: 'AuthorizationPolicy' },
      namespace: 'shop',
      name: 'app',
      operation: 'DELETE',
      object: undefined,
    });
    assert.match(shown.join(), /^this denies 3 observed edges: /);
    const before = warnings.counts.answered;
    await api().request('DELETE', '/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies/app');
    assert.equal(warnings.counts.answered, before + 1);
    mesh = meshWith();
  });

  it('records that cannot be read in time hold nobody up, and are not asked for again at once', async () => {
    records = 'never';
    assert.doesNotMatch(await api().apply(policy(GET)), /observed/);
    assert.equal(warnings.counts.late, 1);
    records = recorded;
    assert.doesNotMatch(await api().apply(policy([...GET, ...GET])), /observed/);
    assert.deepEqual([warnings.counts.late, warnings.counts.failed], [2, 0]);
  });
});
