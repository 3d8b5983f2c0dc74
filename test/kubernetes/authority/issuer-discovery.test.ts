// A control plane that may not ask the API server about tokens: it finds the cluster's keys as any OpenID Connect client does.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MESH, RunningServe } from '../../cli/running-serve.ts';
import { eventually } from '../../eventually.ts';
import { certificateFor } from '../../feature/mesh-certificate.ts';
import { withApiServer } from '../api-server.ts';

const DISCOVERY = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name: 'keys-for-everybody' },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:service-account-issuer-discovery' },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:unauthenticated' }],
};

describe("tokens of a cluster, by its issuer's OIDC discovery", function () {
  this.timeout(180_000);
  const api = withApiServer({ isIssuer: true });
  let dir: string;
  let serve: RunningServe;

  before(async function () {
    if (!api().hasControllers) return this.skip();
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-discovery-'));
    for (const name of ['web', 'cart']) {
      await api().apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
      await api().apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'shop' } });
    }
    writeFileSync(join(dir, 'mesh.yaml'), MESH);
    writeFileSync(join(dir, 'roots.pem'), api().ca);
    const issuer = ['--token-issuer', api().issuer, '--token-issuer-roots', join(dir, 'roots.pem')];
    serve = new RunningServe(join(dir, 'mesh.yaml'), join(dir, 'own'), ...issuer);
    await serve.ready();
  });
  after(async () => {
    await serve?.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  const ask = async (serviceAccount: string, audience = 'istio-ca') => {
    const { grpc, rootCert } = await serve.ready();
    const token = await api().token('shop', 'web', { audiences: [audience] });
    return certificateFor({ target: grpc ?? '', rootCert, namespace: 'shop', serviceAccount, token });
  };

  it('count once the API server shows its keys, for the account that they name', async () => {
    await assert.rejects(ask('web'), /UNAVAILABLE|UNAUTHENTICATED/, 'nobody without an account may see the keys yet');
    await api().apply(DISCOVERY);
    const { chain } = await eventually('a certificate', () => ask('web').catch(() => undefined), 60_000);
    assert.ok(chain.length > 0);
    await assert.rejects(ask('cart'), /PERMISSION_DENIED/, 'another account');
    await assert.rejects(ask('web', 'vault'), /UNAUTHENTICATED/, 'a token for somebody else');
  });
});
