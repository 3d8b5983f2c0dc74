import assert from 'node:assert/strict';
import { readRequests } from '../../policy/evaluate/read-requests.ts';

const destination = { namespace: 'shop', port: '8080' };

describe('policy, requests as users write them', () => {
  it('are read whole', () => {
    const { requests, faults, unknown } = readRequests([
      {
        name: 'one',
        source: { principal: 'cluster.local/ns/shop/sa/web', namespace: 'shop', ip: '10.0.0.1', remoteIp: '192.0.2.1' },
        destination: { ...destination, labels: { app: 'web' }, serviceAccount: 'web', protocol: 'grpc' },
        request: { method: 'GET', host: 'web', path: '/', headers: { 'X-Role': 'admin', 'x-many': ['a', 'b'], 'x-number': 1 } },
        jwt: { issuer: 'iss', subject: 'sub', audiences: ['a'], presenter: 'p', claims: { group: ['g'] } },
      },
    ]);
    assert.deepEqual([faults, unknown], [[], []]);
    const [found] = requests;
    assert.equal(found?.request.source.principal, 'spiffe://cluster.local/ns/shop/sa/web');
    assert.equal(found.request.destination.protocol, 'GRPC');
    assert.equal(found.request.destination.port, 8080);
    assert.deepEqual(
      [...found.request.http.headers],
      [
        ['x-role', ['admin']],
        ['x-many', ['a', 'b']],
        ['x-number', ['1']],
      ],
    );
    assert.deepEqual(found.request.token?.claims, { iss: 'iss', sub: 'sub', azp: 'p', aud: ['a'], group: ['g'] });
  });

  it('take absent, null and empty for absent', () => {
    const { requests, faults } = readRequests([
      { source: { principal: '' }, destination, request: null, jwt: null },
      { source: null, destination },
    ]);
    assert.deepEqual(faults, []);
    assert.deepEqual(
      requests.map(({ name, request }) => [name, request.source.principal, request.token]),
      [
        ['request 0', undefined, undefined],
        ['request 1', undefined, undefined],
      ],
    );
  });

  it('are refused with the place of each fault', () => {
    assert.deepEqual(readRequests({}).faults, ['must be a list of requests']);
    const { faults, unknown } = readRequests([
      { destination: { port: 70_000, protocol: 'SMTP' }, source: { principle: 'x' }, request: { headers: { a: {} } } },
      'text',
    ]);
    assert.deepEqual(faults, [
      '[0].destination.namespace: must be given',
      '[0].destination.port: must be a number from 1 to 65535',
      '[0].destination.protocol: must be HTTP, GRPC or TCP',
      '[0].request.headers.a: must be text, or a list of texts',
      '[1]: must be a mapping',
      '[1].destination.namespace: must be given',
    ]);
    assert.deepEqual(unknown, ['[0].source.principle: is not known; known here: principal, namespace, ip, remoteIp']);
  });
});
