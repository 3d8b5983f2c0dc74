import type { Command } from 'commander';
import type { FederationFlags } from '../serve/federation-options.ts';
import { collect } from './collect.ts';

/** What serve and up take to publish the trust bundle and to trust other trust domains. */
export function addFederationOptions(command: Command): Command {
  return command
    .option('--bundle-endpoint <host:port>', 'publish the trust bundle over HTTPS for other trust domains (SPIFFE Federation)')
    .option('--bundle-endpoint-cert <file>', 'its Web PKI certificate (https_web), PEM; without it it proves itself by SPIFFE ID')
    .option('--bundle-endpoint-key <file>', 'the key of that certificate')
    .option('--bundle-refresh-hint <duration>', 'how often others should ask for the bundle (default: 5m)')
    .option(
      '--federate <domain=url,...>',
      'trust the workloads of another trust domain: DOMAIN=URL[,profile=https_web|https_spiffe][,endpointId=ID][,bundle=FILE][,roots=FILE]',
      collect,
    )
    .option('--federation <file>', 'the same as a YAML list of {trustDomain, url, profile, endpointId, bundle, roots}');
}

/** Such flags again, as arguments. */
export function federationArguments(flags: FederationFlags): readonly string[] {
  const named = (name: string, value: string | undefined) => (value === undefined ? [] : [name, value]);
  return [
    ...named('--bundle-endpoint', flags.bundleEndpoint),
    ...named('--bundle-endpoint-cert', flags.bundleEndpointCert),
    ...named('--bundle-endpoint-key', flags.bundleEndpointKey),
    ...named('--bundle-refresh-hint', flags.bundleRefreshHint),
    ...(flags.federate ?? []).flatMap((peer) => ['--federate', peer]),
    ...named('--federation', flags.federation),
  ];
}
