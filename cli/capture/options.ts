import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Parsed } from '../../ca/identity/parsed.ts';
import {
  parseInterfaces,
  parsePort,
  parsePorts,
  parsePortsOrAll,
  parseRanges,
  parseRangesOrAll,
  parseUserIds,
} from '../../kubernetes/capture/lists.ts';
import { type CaptureOptions, DEFAULT_CAPTURE, type Ports, type Ranges } from '../../kubernetes/capture/options.ts';
import { DNS_PORT, isDnsCaptured } from './dns.ts';

function asked<T>(parse: (text: string) => Parsed<T>): (text: string) => T {
  return (text) => {
    const result = parse(text);
    if (!result.ok) throw new InvalidArgumentError(`it ${result.reason}.`);
    return result.value;
  };
}

export interface CaptureFlags {
  readonly outboundPort: number;
  readonly inboundPort: number;
  readonly proxyUid: readonly number[];
  readonly proxyGid?: readonly number[];
  readonly includeOutboundRanges: Ranges;
  readonly excludeOutboundRanges: readonly string[];
  readonly includeInboundPorts: Ports;
  readonly excludeInboundPorts: readonly number[];
  readonly includeOutboundPorts: readonly number[];
  readonly excludeOutboundPorts: readonly number[];
  readonly excludeInterfaces: readonly string[];
  readonly virtualInterfaces: readonly string[];
  readonly dnsPort?: number;
}

/** The options that say what is captured, with Istio's short names beside ours. */
export function addCaptureOptions(command: Command): Command {
  const d = DEFAULT_CAPTURE;
  const option = (flags: string, text: string, parse: (text: string) => unknown, standard: unknown, shown: string): Option =>
    new Option(flags, text).argParser(parse).default(standard, shown);
  return command
    .addOption(
      option(
        '-p, --outbound-port <port>',
        "the proxy's port for what the application sends",
        asked(parsePort),
        d.outboundPort,
        '15001',
      ),
    )
    .addOption(
      option('-z, --inbound-port <port>', "the proxy's port for what comes in", asked(parsePort), d.inboundPort, '15006'),
    )
    .addOption(
      option('-u, --proxy-uid <ids>', "users whose connections are the proxy's own", asked(parseUserIds), d.proxyUids, '1337'),
    )
    .addOption(new Option('-g, --proxy-gid <ids>', 'groups likewise (default: as the users)').argParser(asked(parseUserIds)))
    .addOption(
      option(
        '-i, --include-outbound-ranges <cidrs>',
        'captured destinations',
        asked(parseRangesOrAll),
        d.includeOutboundRanges,
        '*',
      ),
    )
    .addOption(option('-x, --exclude-outbound-ranges <cidrs>', 'destinations left out', asked(parseRanges), [], 'none'))
    .addOption(
      option('-b, --include-inbound-ports <ports>', 'captured inbound ports', asked(parsePortsOrAll), d.includeInboundPorts, '*'),
    )
    .addOption(option('-d, --exclude-inbound-ports <ports>', 'inbound ports left out', asked(parsePorts), [], 'none'))
    .addOption(option('-q, --include-outbound-ports <ports>', 'captured whatever the address', asked(parsePorts), [], 'none'))
    .addOption(option('-o, --exclude-outbound-ports <ports>', 'outbound ports left out', asked(parsePorts), [], 'none'))
    .addOption(option('-c, --exclude-interfaces <names>', 'network devices left out', asked(parseInterfaces), [], 'none'))
    .addOption(
      option('-k, --virtual-interfaces <names>', 'devices of virtual machines in the pod', asked(parseInterfaces), [], 'none'),
    )
    .addOption(
      new Option(
        '--dns-port <port>',
        'lead queries for names (port 53) to this port of the loopback (default: 15053 with ISTIO_META_DNS_CAPTURE=true, else nowhere)',
      ).argParser(asked(parsePort)),
    );
}

export function captureOptionsOf(flags: CaptureFlags): CaptureOptions {
  return {
    outboundPort: flags.outboundPort,
    inboundPort: flags.inboundPort,
    proxyUids: flags.proxyUid,
    proxyGids: flags.proxyGid ?? flags.proxyUid,
    includeOutboundRanges: flags.includeOutboundRanges,
    excludeOutboundRanges: flags.excludeOutboundRanges,
    includeInboundPorts: flags.includeInboundPorts,
    excludeInboundPorts: flags.excludeInboundPorts,
    includeOutboundPorts: flags.includeOutboundPorts,
    excludeOutboundPorts: flags.excludeOutboundPorts,
    excludeInterfaces: flags.excludeInterfaces,
    virtualInterfaces: flags.virtualInterfaces,
    dnsPort: flags.dnsPort ?? (isDnsCaptured(process.env) ? DNS_PORT : undefined),
  };
}
