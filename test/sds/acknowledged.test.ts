import assert from 'node:assert/strict';
import { create } from '@bufbuild/protobuf';
import { DeltaDiscoveryResponseSchema, ResourceSchema } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { SecretStore } from '../../sds/secret/store.ts';
import { Acknowledgements } from '../../sds/server/acknowledged.ts';

describe('sds: what a stream accepted', () => {
  it('is told with each acknowledgement, not with a refusal, and ends with the stream', () => {
    const told: (readonly [string, string | undefined])[] = [];
    const stream = new Acknowledgements(new SecretStore([]), (name, version) => told.push([name, version]));
    const send = (nonce: string, version: string): void =>
      stream.sent(
        create(DeltaDiscoveryResponseSchema, { nonce, resources: [create(ResourceSchema, { name: 'ROOTCA', version })] }),
      );
    send('1', 'a');
    stream.answered({ responseNonce: '1' });
    send('2', 'b');
    stream.answered({ responseNonce: '2', errorDetail: { message: 'no' } });
    stream.answered({ responseNonce: '1' });
    stream.ended();
    stream.ended();
    assert.deepEqual(told, [
      ['ROOTCA', 'a'],
      ['ROOTCA', undefined],
    ]);
  });
});
