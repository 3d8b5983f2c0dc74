import { strict as assert } from 'node:assert';
import { MixedClients } from '../../../../ca/service/http2/mixed-clients.ts';

describe('ca/service/http2: clients that call for more than certificates', () => {
  let now = 0;
  const mixed = () => new MixedClients(() => now);
  beforeEach(() => (now = 1000));

  it('are remembered by their address for ten seconds after the last time', () => {
    const clients = mixed();
    clients.add('10.0.0.1');
    now += 9999;
    assert.deepEqual([clients.has('10.0.0.1'), clients.has('10.0.0.2')], [true, false]);
    clients.add('10.0.0.1');
    now += 9999;
    assert.equal(clients.has('10.0.0.1'), true);
    now += 1;
    assert.equal(clients.has('10.0.0.1'), false);
  });

  it('are ten thousand at most: the first that was added is forgotten', () => {
    const clients = mixed();
    clients.add('again');
    for (let n = 0; n < 9999; n++) clients.add(`10.0.${n >> 8}.${n & 0xff}`);
    clients.add('again');
    clients.add('one more');
    assert.deepEqual(
      ['10.0.0.0', '10.0.0.1', 'again', 'one more'].map((address) => clients.has(address)),
      [false, true, true, true],
    );
  });
});
