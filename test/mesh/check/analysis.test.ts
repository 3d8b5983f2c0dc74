import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findings } from '../../../cli/input/findings.ts';
import type { Diagnostic } from '../../../mesh/model/diagnostic.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { CORPORA } from '../../shared-data.ts';
import { casesOf, isRow, text } from '../corpus/corpora.ts';
import { divergences } from '../corpus/divergences.ts';

/** Which of our codes say what a message of istioctl analyze says: the table of docs/diagnostics.md. */
function codesByMessage(): ReadonlyMap<string, ReadonlySet<string>> {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/diagnostics.md'), 'utf8');
  const rows = page.matchAll(/^\| `([A-Z]\w+)` \| ((?:`[a-z-]+`(?:, )?)+|none) \|/gm);
  return new Map(
    [...rows].map(([, message = '', codes = '']) => [
      message,
      new Set([...codes.matchAll(/`([a-z-]+)`/g)].map(([, code = '']) => code)),
    ]),
  );
}

/** When Istio's own cases held: certificates in them were valid then. */
const NOW = new Date('2026-08-01T00:00:00Z');

function found(inputs: readonly string[], meshConfig: string): readonly Diagnostic[] {
  const folder = join(CORPORA, 'analysis');
  const { snapshot, written, diagnostics } = loadMesh({
    paths: inputs.map((input) => join(folder, input)),
    meshConfigFile: meshConfig === '' ? undefined : join(folder, meshConfig),
  });
  return [...diagnostics, ...findings(snapshot, written, NOW)];
}

/** Istio leaves out the namespace `default` where the input names none. */
function named(object: string | undefined): string {
  return (object ?? '').replace(' default/', ' ');
}

/** Messages by what an analyzer can say: other findings about the same input are none of its business. */
const SAYS: Readonly<Record<string, readonly string[]>> = Object.freeze({
  'deprecation.FieldAnalyzer': ['Deprecated'],
  'gateway.IngressGatewayPortAnalyzer': ['ReferencedResourceNotFound', 'GatewayPortNotDefinedOnService'],
  'gateway.SecretAnalyzer': ['ReferencedResourceNotFound', 'InvalidGatewayCredential'],
  'gateway.ConflictingGatewayAnalyzer': ['ConflictingGateways'],
  'service.PortNameAnalyzer': ['PortNameIsNotUnderNamingConvention', 'ExternalNameServiceTypeInvalidPortName'],
  'sidecar.SelectorAnalyzer': ['MultipleSidecarsWithoutWorkloadSelectors', 'IneffectivePolicy'],
  'virtualservice.ConflictingMeshGatewayHostsAnalyzer': ['ConflictingMeshGatewayVirtualServiceHosts'],
  'virtualservice.GatewayAnalyzer': ['ReferencedResourceNotFound', 'VirtualServiceHostNotFoundInGateway'],
  'virtualservice.JWTClaimRouteAnalyzer': ['JwtClaimBasedRoutingWithoutRequestAuthN'],
  'deployment.ServiceAssociationAnalyzer': ['DeploymentAssociatedToMultipleServices', 'DeploymentConflictingPorts'],
  'authn.BlockedCIDRsAnalyzer': [],
  'authz.AuthorizationPoliciesAnalyzer': ['NoMatchingWorkloadsFound', 'ReferencedResourceNotFound'],
  'destinationrule.CaCertificateAnalyzer': [
    'NoServerCertificateVerificationDestinationLevel',
    'NoServerCertificateVerificationPortLevel',
  ],
  'schemaValidation.CollectionValidationAnalyzer': ['VirtualServiceUnreachableRule', 'VirtualServiceIneffectiveMatch'],
  'serviceentry.ProtocolAddressesAnalyzer': ['ServiceEntryAddressesRequired'],
  'serviceentry.ConflictingServiceEntryProtocolAnalyzer': ['ConflictingServiceEntryProtocol'],
  'deployment.ApplicationUIDAnalyzer': ['InvalidApplicationUID'],
  'envoyfilter.EnvoyPatchAnalyzer': [
    'EnvoyFilterUsesRelativeOperation',
    'EnvoyFilterUsesReplaceOperationIncorrectly',
    'EnvoyFilterUsesRelativeOperationWithProxyVersion',
  ],
  'destinationrule.PodNotSelectedAnalyzer': ['UnknownDestinationRuleHost', 'DestinationRuleSubsetNotSelectPods'],
});

/** What "not found" means to an analyzer; others say it of what else they look for. */
const NOT_FOUND: Readonly<Record<string, readonly string[]>> = Object.freeze({
  'gateway.IngressGatewayPortAnalyzer': ['selects-nothing'],
  'gateway.SecretAnalyzer': ['selects-nothing', 'no-such-secret'],
  'virtualservice.GatewayAnalyzer': ['no-such-gateway'],
  'authz.AuthorizationPoliciesAnalyzer': ['unknown-namespace'],
});

/** Of which kinds of object an analyzer speaks. */
const KINDS: Readonly<Record<string, RegExp>> = Object.freeze({
  'gateway.IngressGatewayPortAnalyzer': /^Gateway /,
  'gateway.SecretAnalyzer': /^Gateway /,
  'authz.AuthorizationPoliciesAnalyzer': /^AuthorizationPolicy /,
  'deployment.ServiceAssociationAnalyzer': /^Deployment /,
  'destinationrule.PodNotSelectedAnalyzer': /^DestinationRule /,
  'serviceentry.ConflictingServiceEntryProtocolAnalyzer': /^ServiceEntry /,
  'sidecar.SelectorAnalyzer': /^Sidecar /,
  'virtualservice.GatewayAnalyzer': /^VirtualService /,
});

function analyzerOf(written: string): string {
  return /"@call": ?"([^"]+)"/.exec(written)?.[1] ?? written;
}

interface Pairs {
  readonly expected: readonly string[];
  readonly actual: readonly string[];
}

/** `object: codes` as Istio has it and as we do; messages that one code of ours stands for count once for an object. */
function compare(one: Readonly<Record<string, unknown>>): Pairs {
  const codes = codesByMessage();
  const analyzer = analyzerOf(text(one['analyzer']));
  const says = SAYS[analyzer];
  assert.ok(says !== undefined, `the messages of ${analyzer} are not known here`);
  const codesOf = (message: string): readonly string[] => {
    const own = codes.get(message);
    assert.ok(own !== undefined, `docs/diagnostics.md has no code for ${message}`);
    const narrow = message === 'ReferencedResourceNotFound' ? NOT_FOUND[analyzer] : undefined;
    return narrow === undefined ? [...own] : narrow.filter((code) => own.has(code));
  };
  const rows = Array.isArray(one['expected']) ? one['expected'].filter(isRow) : [];
  const wanted = rows.map((row) => `${named(text(row['object']))}: ${codesOf(text(row['message'])).join(' ')}`);
  const watched = new Map(says.flatMap((message) => codesOf(message).map((code) => [code, codesOf(message).join(' ')] as const)));
  const inputs = Array.isArray(one['inputs']) ? one['inputs'].map(text) : [];
  const kinds = KINDS[analyzer] ?? /./;
  const given = found(inputs, text(one['meshConfig'])).flatMap(({ code, object }) => {
    const group = watched.get(code);
    return group === undefined || !kinds.test(object ?? '') ? [] : [`${named(object)}: ${group}`];
  });
  return { expected: [...new Set(wanted)].sort(), actual: [...new Set(given)].sort() };
}

describe("checks across objects, by istioctl analyze's own cases", () => {
  const cases = casesOf('analysis');
  it('the corpus is here', function () {
    if (cases === undefined) this.skip();
  });
  const apart = divergences('analysis');
  for (const one of cases ?? []) {
    const id = text(one['id']);
    it(id, () => {
      const { expected, actual } = compare(one);
      if (apart.has(id))
        return assert.notDeepEqual(actual, expected, `${id} is answered as Istio does: take it off docs/divergences.md`);
      return assert.deepEqual(actual, expected);
    });
  }
});
