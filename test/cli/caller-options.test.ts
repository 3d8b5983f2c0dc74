import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCallerFlags } from '../../cli/serve/caller-options.ts';
import { podPlacement } from '../../cli/serve/pod-placement.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';

const parse = (flags: Partial<Parameters<typeof parseCallerFlags>[0]>) =>
  parseCallerFlags({ tokenAudience: 'istio-ca', ...flags });
const reason = (flags: Parameters<typeof parse>[0]) => {
  const options = parse(flags);
  return options.ok ? 'ok' : options.reason;
};

describe('gatehouse serve: who may call', () => {
  it('takes keys from a file, from an address or by discovery, always with their issuer', () => {
    const token = (flags: Parameters<typeof parse>[0]) => {
      const options = parse(flags);
      return options.ok ? options.value.token : options.reason;
    };
    assert.deepEqual(token({}), { audience: 'istio-ca' });
    assert.deepEqual(token({ jwks: '/a/jwks.json', tokenIssuer: 'x' }), {
      issuer: 'x',
      audience: 'istio-ca',
      jwksFile: '/a/jwks.json',
    });
    const url = 'https://issuer.test/keys';
    assert.deepEqual(token({ jwks: url, tokenIssuer: 'x' }), { issuer: 'x', audience: 'istio-ca', jwksUrl: url });
    assert.deepEqual(token({ tokenIssuer: 'https://issuer.test' }), { issuer: 'https://issuer.test', audience: 'istio-ca' });
    assert.match(reason({ jwks: 'a' }), /--jwks needs --token-issuer/);
    assert.match(reason({ jwks: 'http://a/keys', tokenIssuer: 'x' }), /no https address/);
    assert.match(reason({ tokenIssuer: 'kubernetes' }), /give them with --jwks/);
    assert.match(reason({ tokenIssuer: 'https://a', tokenIssuerRoots: '/none' }), /--token-issuer-roots: ENOENT/);
  });

  it('takes rules for DNS names', () => {
    const options = parse({ allowDnsSan: ['shop/cart=cart.shop.svc', '*/*={account}.{namespace}.svc'] });
    assert.equal(options.ok && options.value.dnsNames.length, 2);
    assert.match(reason({ allowDnsSan: ['cart'] }), /--allow-dns-san cart: write NAMESPACE\/ACCOUNT=NAME/);
  });

  it('takes rates and node accounts', () => {
    const options = parse({ identityRate: '50,1000', addressRate: '0.5', trustedNodeAccount: ['istio-system/ztunnel'] });
    assert.ok(options.ok);
    const { identityRate, addressRate, trustedNodeAccounts } = options.value;
    assert.deepEqual(
      [identityRate, addressRate],
      [
        { perSecond: 50, burst: 1000 },
        { perSecond: 0.5, burst: 1 },
      ],
    );
    assert.deepEqual(trustedNodeAccounts, ['istio-system/ztunnel']);
    for (const rate of ['0', '-1', 'x', '5,0', '1,', '']) assert.match(reason({ identityRate: rate }), /^--identity-rate/, rate);
    for (const account of ['ztunnel', 'a/b/c', '/b', 'A/b'])
      assert.match(reason({ trustedNodeAccount: [account] }), /NAMESPACE\/NAME/);
  });

  it('knows from Pods where they run', () => {
    const dir = mkdtempSync(join(tmpdir(), 'gatehouse-placement-'));
    try {
      const pod = (name: string, node: string) =>
        `{apiVersion: v1, kind: Pod, metadata: {name: ${name}, namespace: shop, uid: u-${name}}, spec: {serviceAccountName: cart, ${node} containers: [{name: a}]}, status: {podIP: 10.0.0.${name.length}, phase: Running}}`;
      writeFileSync(
        join(dir, 'pods.yaml'),
        `${pod('a', 'nodeName: n1,')}\n---\n${pod('bb', 'nodeName: n2,')}\n---\n${pod('ccc', '')}\n`,
      );
      const { snapshot } = loadMesh({ paths: [dir] });
      const placement = podPlacement(() => snapshot);
      assert.deepEqual(
        ['a', 'bb', 'ccc', 'dddd'].map((name) => placement.nodeOf('shop', name)),
        ['n1', 'n2', undefined, undefined],
      );
      assert.deepEqual(placement.podsOnNode('n1'), [{ namespace: 'shop', name: 'a', uid: 'u-a', serviceAccount: 'cart' }]);
      assert.deepEqual(placement.podsOnNode('n3'), []);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
