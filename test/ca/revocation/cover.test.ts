import assert from 'node:assert/strict';
import { fromBinary } from '@bufbuild/protobuf';
import { AnySchema, anyUnpack } from '@bufbuild/protobuf/wkt';
import type { CertificateValidationContext } from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { SecretSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { SPIFFECertValidatorConfigSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.js';
import type { TrustBundle } from '../../../ca/bundle.ts';
import { listsCover } from '../../../ca/revocation/cover.ts';
import { signCrl } from '../../../ca/revocation/crl.ts';
import { folderAt } from '../../../ca/root/folder.ts';
import { loadRoot } from '../../../ca/root/load.ts';
import { trustResource } from '../../../xds/resources/trust.ts';
import { selfSignedRoot } from '../../sds/authority.ts';
import { type World, world } from '../world.ts';

describe('ca: revocation lists where several trust domains are trusted', () => {
  let here: World;
  let rootsPem: string;
  let crlPem: string;
  let other: string;
  before(async () => {
    here = await world();
    rootsPem = (await here.open()).rootCertPem;
    const { issuer } = await loadRoot(folderAt(here.caDir));
    const [thisUpdate, nextUpdate] = [new Date(), new Date(Date.now() + 3_600_000)];
    crlPem = await signCrl({ number: 1, thisUpdate, nextUpdate, certificates: [] }, issuer);
    other = (await selfSignedRoot()).certificate.toString('pem');
  });
  after(() => here.close());

  it('cover the roots only if there is one of each', () => {
    assert.equal(listsCover(rootsPem, crlPem), true);
    assert.equal(listsCover(rootsPem, ''), false);
    assert.equal(listsCover(`${rootsPem}\n${other}`, crlPem), false);
    assert.equal(listsCover(other, crlPem), false);
    assert.equal(listsCover('', crlPem), false);
    assert.equal(listsCover(rootsPem, '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----'), false);
  });

  function context(bundle: TrustBundle): CertificateValidationContext {
    const secret = anyUnpack(fromBinary(AnySchema, trustResource(bundle).any), SecretSchema);
    assert.ok(secret?.type.case === 'validationContext');
    return secret.type.value;
  }

  function domains(bundle: TrustBundle): Readonly<Record<string, string>> {
    const { customValidatorConfig, trustedCa, crl } = context(bundle);
    assert.deepEqual([customValidatorConfig?.name, trustedCa, crl], ['envoy.tls.cert_validator.spiffe', undefined, undefined]);
    const any = customValidatorConfig?.typedConfig;
    const config = any && anyUnpack(any, SPIFFECertValidatorConfigSchema);
    return Object.fromEntries(
      (config?.trustDomains ?? []).map(({ name, trustBundle }) => [
        name,
        trustBundle?.specifier.case === 'inlineBytes' ? Buffer.from(trustBundle.specifier.value).toString() : '',
      ]),
    );
  }

  const federation = () => ({ own: ['a.test', 'old.test'], foreign: [{ trustDomain: 'b.test', rootsPem: other }] });

  it('without federation there is one list of roots', () => {
    const { customValidatorConfig, trustedCa } = context({ generation: 1, rootsPem, crlPem });
    assert.equal(customValidatorConfig, undefined);
    assert.notEqual(trustedCa, undefined);
  });

  it('with it each trust domain has its own roots, and ours the lists', () => {
    assert.deepEqual(domains({ generation: 1, rootsPem, crlPem, federation: federation() }), {
      'a.test': rootsPem + crlPem,
      'old.test': rootsPem + crlPem,
      'b.test': other,
    });
    // An intermediate without a list: the lists would cut off everybody under it.
    assert.equal(
      domains({ generation: 1, rootsPem, intermediatesPem: other, crlPem, federation: federation() })['a.test'],
      rootsPem,
    );
    assert.deepEqual(domains({ generation: 1, rootsPem: rootsPem + other, crlPem, federation: federation() }), {
      'a.test': rootsPem + other,
      'old.test': rootsPem + other,
      'b.test': other,
    });
  });

  it('stay apart also while no other bundle is known', () => {
    assert.deepEqual(domains({ generation: 1, rootsPem, federation: { own: ['a.test'], foreign: [] } }), { 'a.test': rootsPem });
  });
});
