import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { type PageFlags, parsePageFlags } from '../../../cli/serve/page-options.ts';
import { pageUrl, parseServedFlags } from '../../../cli/up/served.ts';

const DEFAULTS = { pageOidcClaim: 'groups', pageOidcPrefix: 'gatehouse:', pageOidcScopes: 'openid' };

function kind(flags: Partial<PageFlags>): string {
  const parsed = parsePageFlags({ ...DEFAULTS, ...flags });
  return parsed.ok ? (parsed.value?.tls.kind ?? 'no page') : parsed.reason;
}

describe('audit: where the page listens', () => {
  it('is open on loopback only; elsewhere it asks who somebody is, over TLS', () => {
    assert.equal(kind({}), 'no page');
    assert.equal(kind({ pageAddress: '127.0.0.1:0' }), 'none');
    assert.equal(kind({ pageAddress: '[::1]:0' }), 'none');
    for (const pageAddress of ['0.0.0.0:0', ':15080', '10.0.0.1:0', '[::]:0', '[::ffff:a00:1]:0'])
      assert.match(kind({ pageAddress }), /can be reached from other machines/, pageAddress);
    assert.equal(kind({ pageAddress: '0.0.0.0:0', pageTokens: 'tokens.yaml' }), 'authority');
    assert.equal(kind({ pageAddress: '0.0.0.0:0', pageTokens: 'tokens.yaml', pageTlsCert: 'a', pageTlsKey: 'b' }), 'files');
    assert.equal(kind({ pageAddress: '0.0.0.0:0', pageTokens: 'tokens.yaml', pagePlaintext: true }), 'none');
    // Without TLS is not without asking.
    assert.match(kind({ pageAddress: '0.0.0.0:0', pagePlaintext: true }), /can be reached from other machines/);
  });

  it('refuses what does not go together', () => {
    const address = { pageAddress: '127.0.0.1:15080' };
    assert.match(kind({ pageTokens: 'x' }), /--page-tokens needs --page-address/);
    assert.match(kind({ ...address, pageTlsCert: 'x' }), /go together/);
    assert.match(kind({ ...address, pageOidcIssuer: 'https://id.example' }), /needs --page-oidc-client-id/);
    assert.match(kind({ ...address, pageOidcIssuer: 'http://id.example', pageOidcClientId: 'x' }), /no https address/);
    assert.match(kind({ ...address, pageUrl: 'https://x.example/path' }), /--page-url/);
    assert.equal(kind({ ...address, pageOidcIssuer: 'https://id.example', pageOidcClientId: 'x' }), 'none');
  });

  it('takes keys of sessions where there are sessions', () => {
    const address = { pageAddress: '127.0.0.1:15080', pageSessionKey: 'key' };
    assert.match(kind(address), /no sessions without --page-tokens or --page-oidc-issuer/);
    assert.equal(kind({ ...address, pageTokens: 'x' }), 'none');
    assert.match(kind({ pageSessionKey: 'key' }), /needs --page-address/);
  });

  it('is handed over by gatehouse up, which tells of mistakes before it starts anything', () => {
    const served = parseServedFlags({ pageAddress: '127.0.0.1:0', pageTokens: 'tokens.yaml', auditSubject: 'plain' });
    assert.ok(served.ok);
    assert.deepEqual(served.value.arguments, ['--page-tokens', resolve('tokens.yaml'), '--audit-subject', 'plain']);
    assert.deepEqual(served.value.page?.address, { host: '127.0.0.1', port: 0 });
    assert.deepEqual(parseServedFlags({}), { ok: true, value: { page: undefined, arguments: [] } });
    assert.equal(parseServedFlags({ pageAddress: '0.0.0.0:0' }).ok, false);
    assert.equal(parseServedFlags({ pageTokens: 'tokens.yaml' }).ok, false);
    assert.equal(parseServedFlags({ auditSubject: 'hash' }).ok, false);
  });

  it('is told by gatehouse up as browsers reach it', () => {
    const told = (flags: Parameters<typeof parseServedFlags>[0]): string => {
      const served = parseServedFlags({ pageAddress: '127.0.0.1:0', ...flags });
      return served.ok ? pageUrl(served.value, '127.0.0.1:1234') : served.reason;
    };
    assert.equal(told({}), 'http://127.0.0.1:1234/');
    assert.equal(told({ pageTlsCert: 'a', pageTlsKey: 'b' }), 'https://127.0.0.1:1234/');
    assert.equal(told({ pageAddress: '0.0.0.0:0', pageTokens: 'x' }), 'https://127.0.0.1:1234/');
    assert.equal(told({ pageUrl: 'https://mesh.example' }), 'https://mesh.example/');
  });
});
