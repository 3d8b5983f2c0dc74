import { strict as assert } from 'node:assert';
import { create, toBinary } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '#gen/gatehouse/ca/v1/istio_ca_pb.js';
import { decodeRequest } from '../../../ca/service/request.ts';
import { messageOf } from '../../../ca/service/framed.ts';
import { encodeResponse } from '../../../ca/service/response.ts';

const SEED = 20261121;

describe('ca/service: messages', () => {
  it(`are read as the generated code reads them (seed ${SEED})`, () => {
    const message = fc.record(
      {
        csr: fc.string({ unit: 'grapheme', maxLength: 300 }),
        validityDuration: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        metadata: fc.dictionary(fc.string(), fc.string(), { maxKeys: 2, noNullPrototype: true }),
      },
      { requiredKeys: [] },
    );
    const property = fc.property(message, (fields) => {
      const meant = create(IstioCertificateRequestSchema, fields);
      const read = decodeRequest(toBinary(IstioCertificateRequestSchema, meant));
      assert.equal(read?.csr, meant.csr);
      assert.equal(read.validityDuration, meant.validityDuration);
      assert.deepEqual(read.metadata, meant.metadata);
    });
    fc.assert(property, { seed: SEED });
  });

  it('that are none are told so', () => {
    const whole = toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr: 'x'.repeat(200) }));
    for (let length = 1; length < whole.length; length++) assert.equal(decodeRequest(whole.subarray(0, length)), undefined);
    assert.equal(decodeRequest(new Uint8Array(0))?.csr, '');
    assert.equal(decodeRequest(Buffer.from('ffffffff', 'hex')), undefined);
  });

  it(`are written as the generated code writes them (seed ${SEED})`, () => {
    const chains = fc.array(fc.string({ unit: 'grapheme', maxLength: 20_000 }), { maxLength: 4 });
    const property = fc.property(chains, (certChain) => {
      const expected = toBinary(IstioCertificateResponseSchema, create(IstioCertificateResponseSchema, { certChain }));
      assert.deepEqual(Uint8Array.from(messageOf(encodeResponse(certChain))), Uint8Array.from(expected));
    });
    fc.assert(property, { seed: SEED });
  });
});
