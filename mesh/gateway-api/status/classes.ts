import type { GatewayClass } from '../../model/gateway-api.ts';
import { standingOf } from '../classes.ts';
import { nameOf } from '../listener-references.ts';
import type { Reason } from '../reason.ts';
import type { World } from '../world.ts';
import { either, holds } from './condition.ts';
import type { ObjectStatus } from './status.ts';

/** Features of the API's conformance tests that are there, each seen through the real Envoy. */
const FEATURES = Object.freeze([
  'BackendTLSPolicy',
  'GRPCRoute',
  'Gateway',
  'GatewayFrontendClientCertificateValidation',
  'GatewayHTTPListenerIsolation',
  'GatewayPort8080',
  'HTTPRoute',
  'HTTPRoute303RedirectStatusCode',
  'HTTPRoute307RedirectStatusCode',
  'HTTPRoute308RedirectStatusCode',
  'HTTPRouteBackendRequestHeaderModification',
  'HTTPRouteBackendTimeout',
  'HTTPRouteCORS',
  'HTTPRouteHostRewrite',
  'HTTPRouteMethodMatching',
  'HTTPRouteNamedRouteRule',
  'HTTPRouteParentRefPort',
  'HTTPRoutePathRedirect',
  'HTTPRoutePathRewrite',
  'HTTPRoutePortRedirect',
  'HTTPRouteQueryParamMatching',
  'HTTPRouteRequestMirror',
  'HTTPRouteRequestMultipleMirrors',
  'HTTPRouteRequestPercentageMirror',
  'HTTPRouteRequestTimeout',
  'HTTPRouteResponseHeaderModification',
  'HTTPRouteSchemeRedirect',
  'ListenerSet',
  'Mesh',
  'ReferenceGrant',
  'TCPRoute',
  'TLSRoute',
  'TLSRouteModeTerminate',
]);

/** A class of another controller is not spoken of. */
export function classStatus(world: World, value: GatewayClass): readonly ObjectStatus[] {
  const { meta, controller, parameters } = value;
  const { kind } = standingOf(controller);
  if (kind === 'other' || kind === 'unknown') return [];
  const problem: Reason | undefined =
    kind === 'unsupported'
      ? { reason: 'Unsupported', message: `${controller} makes waypoints and gateways of other clusters, which are not there` }
      : parameters !== undefined && world.configMap(parameters) === undefined
        ? { reason: 'InvalidParameters', message: `there is no ${nameOf(parameters)}` }
        : undefined;
  return [
    {
      kind: 'GatewayClass',
      meta,
      status: {
        conditions: [
          either('Accepted', problem, 'Gateways of the class are served'),
          holds('SupportedVersion', 'the version of the API is known'),
        ],
        supportedFeatures: FEATURES.map((name) => ({ name })),
      },
      problems:
        problem === undefined
          ? []
          : [{ condition: 'Accepted', ...problem, field: kind === 'unsupported' ? 'spec.controllerName' : 'spec.parametersRef' }],
    },
  ];
}
