import assert from 'node:assert/strict';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { PeerAuthentication } from '../../mesh/model/peer-authentication.ts';
import { type Verdict, evaluate } from '../../policy/evaluate/evaluate.ts';
import { valueOf } from '../../policy/evaluate/text.ts';
import { given, operation, peerAuthentication, policy, port, request, rule, snapshot, source } from './model.ts';

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const GUEST = 'spiffe://cluster.local/ns/guest/sa/guest';

interface Question {
  readonly principal?: string;
  readonly path?: string;
  readonly method?: string;
  readonly host?: string;
  readonly protocol?: 'HTTP' | 'TCP';
  readonly role?: readonly string[];
}

function ask(
  policies: readonly AuthorizationPolicy[],
  { principal, path = '/', method = 'GET', host = 'web', protocol = 'HTTP', role }: Question,
  peerAuthentications: readonly PeerAuthentication[] = [],
): Verdict {
  return evaluate(
    snapshot({ authorizationPolicies: policies, peerAuthentications }),
    request({
      source: { principal },
      destination: { port: port(8080), protocol },
      http: protocol === 'TCP' ? {} : { path, method, host, headers: new Map(role === undefined ? [] : [['x-role', role]]) },
    }),
  );
}

const values = (...texts: readonly string[]): ReturnType<typeof given<ReturnType<typeof valueOf>>> => given(texts.map(valueOf));

const allowWeb = policy('shop', 'web', {
  rules: [
    rule({
      from: [source({ principals: values('cluster.local/ns/shop/sa/web') })],
      to: [operation({ methods: values('GET'), paths: values('/products*') })],
    }),
  ],
});
const denyAdmin = policy('shop', 'no-admin', {
  action: 'DENY',
  rules: [rule({ to: [operation({ paths: values('/admin*') })] })],
});

describe('policy, evaluate', () => {
  it('allows what no policy is about', () => {
    assert.deepEqual(ask([], {}), {
      decision: 'ALLOW',
      policy: undefined,
      rule: undefined,
      reason: 'no ALLOW policy applies, so what is not denied is allowed',
    });
  });

  it('names the rule that allows', () => {
    const { decision, policy: by, rule: index } = ask([allowWeb], { principal: WEB, path: '/products/1?q=2' });
    assert.deepEqual([decision, by, index], ['ALLOW', 'shop/web', 0]);
  });

  it('names the rule that denies, before any that allows', () => {
    const all = policy('shop', 'all', { rules: [rule({})] });
    const { decision, policy: by, rule: index } = ask([all, denyAdmin], { principal: WEB, path: '/admin/users' });
    assert.deepEqual([decision, by, index], ['DENY', 'shop/no-admin', 0]);
  });

  it('names the nearest rule and the condition by which it fails', () => {
    const { decision, policy: by, reason } = ask([allowWeb], { principal: GUEST, path: '/products' });
    assert.deepEqual([decision, by], ['DENY', undefined]);
    assert.match(reason, /ALLOW policies apply \(shop\/web\)/);
    assert.match(
      reason,
      /shop\/web rule 0: principals: spiffe:\/\/cluster\.local\/ns\/guest\/sa\/guest is not one of cluster\.local\/ns\/shop\/sa\/web/,
    );
    assert.match(
      ask([allowWeb], { principal: WEB, path: '/products', method: 'POST' }).reason,
      /methods: "POST" is not one of GET/,
    );
  });

  it('denies all under an ALLOW policy without rules, and nothing under a DENY policy without rules', () => {
    assert.equal(ask([policy('shop', 'none', {})], { principal: WEB }).decision, 'DENY');
    assert.equal(ask([policy('shop', 'none', { action: 'DENY' })], { principal: WEB }).decision, 'ALLOW');
  });

  it('names the PeerAuthentication that refuses plain text', () => {
    const strict = peerAuthentication('shop', 'default', { mode: 'STRICT' });
    const { decision, policy: by, reason } = ask([], {}, [strict]);
    assert.deepEqual([decision, by], ['DENY', 'shop/default']);
    assert.match(reason, /plain text and PeerAuthentication shop\/default asks for mutual TLS \(STRICT\)/);
    assert.equal(ask([], { principal: WEB }, [strict]).decision, 'ALLOW');
  });

  it('knows nobody on a port whose mutual TLS is off', () => {
    const off = peerAuthentication('shop', 'web', {
      selector: {},
      mode: 'DISABLE',
    });
    assert.equal(ask([allowWeb], { principal: WEB, path: '/products' }, [off]).decision, 'DENY');
  });

  it('takes a condition that is not known for the denying answer', () => {
    const odd = { key: 'request.teapot', values: given(['yes']) };
    assert.equal(ask([policy('shop', 'a', { rules: [rule({ when: [odd] })] })], { principal: WEB }).decision, 'DENY');
    assert.equal(
      ask([policy('shop', 'd', { action: 'DENY', rules: [rule({ when: [odd] })] })], { principal: WEB }).decision,
      'DENY',
    );
  });

  it('never allows over TCP what asks for HTTP, and denies more', () => {
    assert.equal(ask([allowWeb], { principal: WEB, protocol: 'TCP' }).decision, 'DENY');
    assert.equal(ask([denyAdmin], { principal: WEB, protocol: 'TCP' }).decision, 'DENY');
  });

  it('matches each line of a header by itself', () => {
    const admins = policy('shop', 'admins', {
      action: 'DENY',
      rules: [rule({ when: [{ key: 'request.headers[X-Role]', values: given(['admin']) }] })],
    });
    assert.equal(ask([admins], { role: ['user', 'admin'] }).decision, 'DENY');
    assert.equal(ask([admins], { role: ['user,admin'] }).decision, 'ALLOW');
  });

  it('lets a port in the host help nobody', () => {
    const rules = [rule({ to: [operation({ hosts: values('web') })] })];
    assert.equal(ask([policy('shop', 'h', { rules })], { host: 'web:8080' }).decision, 'DENY');
    assert.equal(ask([policy('shop', 'h', { action: 'DENY', rules })], { host: 'WEB:8080' }).decision, 'DENY');
  });

  it('denies what a CUSTOM policy matches, and says why', () => {
    const { decision, reason } = ask([policy('shop', 'opa', { action: 'CUSTOM', provider: 'opa', rules: [rule({})] })], {});
    assert.equal(decision, 'DENY');
    assert.match(reason, /asks provider opa, which cannot be asked/);
  });

  it('leaves dry runs out', () => {
    assert.equal(ask([policy('shop', 'trial', { dryRun: true })], {}).decision, 'ALLOW');
    assert.equal(ask([{ ...denyAdmin, dryRun: true }], { path: '/admin' }).decision, 'ALLOW');
  });
});
