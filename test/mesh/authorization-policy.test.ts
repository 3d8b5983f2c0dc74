import assert from 'node:assert/strict';
import { admit } from '../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../../mesh/admit/mesh-config.ts';
import { nodeOf } from '../../mesh/admit/node.ts';
import { buildSnapshot } from '../../mesh/admit/snapshot.ts';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';

interface Read {
  readonly policy: AuthorizationPolicy | undefined;
  /** `severity field code`. */
  readonly findings: readonly string[];
}

function read(spec: object, others: readonly object[] = []): Read {
  const object = {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'p', namespace: 'shop' },
    spec,
  };
  const documents = [object, ...others].map((one) => ({ file: 'in.yaml', offset: 0, node: nodeOf(one, 1) }));
  const { admitted, diagnostics } = admit(documents, { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: 'default' });
  const built = buildSnapshot(admitted, DEFAULT_MESH_CONFIG, 1);
  const findings = [...diagnostics, ...built.diagnostics].map(
    ({ severity, field, code }) => `${severity} ${field ?? ''} ${code}`,
  );
  return { policy: built.snapshot.authorizationPolicies[0], findings };
}

const GATEWAY = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' };

describe('AuthorizationPolicy: targets', () => {
  it('are gateways of the policy’s namespace, in the old form and in the new', () => {
    for (const spec of [{ targetRef: GATEWAY }, { targetRefs: [GATEWAY] }]) {
      const { policy, findings } = read(spec);
      assert.deepEqual(policy?.targetRefs, [{ kind: 'Gateway', name: 'edge' }]);
      assert.deepEqual(findings, []);
    }
  });

  it('that only waypoints stand for are taken with a warning', () => {
    for (const [target, kind] of [
      [{ kind: 'Service', name: 'web' }, 'Service'],
      [{ group: 'core', kind: 'Service', name: 'web' }, 'Service'],
      [{ group: 'networking.istio.io', kind: 'ServiceEntry', name: 'web' }, 'ServiceEntry'],
      [{ group: 'gateway.networking.k8s.io', kind: 'GatewayClass', name: 'istio-waypoint' }, 'GatewayClass'],
    ] as const) {
      const { policy, findings } = read({ targetRefs: [target] });
      assert.deepEqual(policy?.targetRefs, [{ kind, name: target.name }]);
      assert.deepEqual(findings, ['warning spec.targetRefs[0] no-waypoint']);
    }
  });

  it('that mean nothing refuse the policy: it never falls back to its namespace', () => {
    for (const [spec, finding] of [
      [{ targetRefs: [] }, 'error spec.targetRefs empty-list'],
      [{ targetRefs: [{ ...GATEWAY, name: '' }] }, 'error spec.targetRefs[0].name missing-field'],
      [{ targetRefs: [{ ...GATEWAY, namespace: 'other' }] }, 'error spec.targetRefs[0].namespace not-supported'],
      [{ targetRefs: [{ ...GATEWAY, group: 'example.org' }] }, 'error spec.targetRefs[0] unknown-value'],
      [{ targetRefs: [{ kind: 'toString', name: 'x' }] }, 'error spec.targetRefs[0] unknown-value'],
      [{ targetRefs: [GATEWAY], selector: { matchLabels: { app: 'web' } } }, 'error spec.targetRefs contradiction'],
      [{ targetRefs: [GATEWAY], targetRef: GATEWAY }, 'error spec.targetRef contradiction'],
      [{ targetRefs: Array.from({ length: 17 }, () => GATEWAY) }, 'error spec.targetRefs out-of-range'],
      [{ targetRefs: 'edge' }, 'error spec.targetRefs wrong-type'],
    ] as const) {
      const { policy, findings } = read(spec);
      assert.equal(policy, undefined, JSON.stringify(spec));
      assert.ok(findings.includes(finding), `${JSON.stringify(spec)}: ${findings.join('; ')}`);
    }
  });

  it('that no workload stands for are found', () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' } },
      spec: { containers: [] },
    };
    assert.deepEqual(read({ targetRefs: [GATEWAY] }, [pod]).findings, ['warning spec.targetRefs[0] selects-nothing']);
  });
});

describe('AuthorizationPolicy: conditions', () => {
  const when = (key: string, ...values: readonly string[]): Read => read({ rules: [{ when: [{ key, values }] }] });

  it('are all that Istio documents', () => {
    for (const [key, value] of [
      ['request.headers[x-role]', 'admin'],
      ['request.headers[:path]', '/admin'],
      ['source.ip', '10.0.0.0/8'],
      ['remote.ip', '2001:db8::/32'],
      ['source.namespace', 'shop'],
      ['source.principal', 'cluster.local/ns/shop/sa/web'],
      ['source.serviceAccount', 'shop/web'],
      ['source.trustDomain', '*.example'],
      ['request.auth.principal', 'issuer/subject'],
      ['request.auth.audiences', 'shop'],
      ['request.auth.presenter', 'app'],
      ['request.auth.claims[realm][roles]', 'admin'],
      ['destination.ip', '10.0.0.1'],
      ['destination.port', '8080'],
      ['connection.sni', '*.example'],
      ['experimental.envoy.filters.http.ext_authz[tier]', '[gold]'],
    ] as const)
      assert.deepEqual(when(key, value).findings, [], key);
  });

  it('refuse names and values that Envoy could not take or nothing could match', () => {
    for (const [key, value] of [
      ['request.headers[a\nb]', 'x'],
      ['request.headers[a b]', 'x'],
      ['request.headers[[a]', 'x'],
      ['request.headers[]', 'x'],
      ['source.serviceAccount', 'shop/*'],
      ['source.serviceAccount', 'a/b/c'],
      ['source.trustDomain', 'spiffe://example.org'],
      ['source.trustDomain', 'a*b'],
      ['source.trustDomain', '*a*'],
      ['experimental.envoy.filters.a', 'x'],
      ['experimental.a.b[c]', 'x'],
      ['destination.port', '0'],
    ] as const) {
      const { policy, findings } = when(key, value);
      assert.equal(policy, undefined, key);
      assert.ok(
        findings.some((found) => found.startsWith('error ')),
        key,
      );
    }
  });
});
