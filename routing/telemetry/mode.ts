import type { TelemetryMode } from '../../mesh/model/telemetry.ts';
import type { Vantage } from '../access-log/grpc.ts';

/** True when a rule speaks of what a proxy sees from there; a gateway is a client. */
export function speaksOf(mode: TelemetryMode, vantage: Vantage): boolean {
  switch (mode) {
    case 'CLIENT_AND_SERVER':
      return true;
    case 'CLIENT':
      return vantage !== 'inbound';
    case 'SERVER':
      return vantage === 'inbound';
    default:
      return mode satisfies never;
  }
}
