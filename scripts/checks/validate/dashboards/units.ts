/**
 * The units of Grafana that a dashboard here may name, by the ids of its list of value formats (@grafana/data 13.2,
 * valueFormats/categories): those of programs and machines. Grafana shows an id that it doesn't know behind the number, as it
 * stands, so that a typing mistake is easily overlooked.
 */
const units = new Set(
  [
    'none short sishort percent percentunit hex sci locale',
    'bytes decbytes bits decbits kbytes mbytes gbytes',
    'Bps binBps bps binbps pps KBs MBs KiBs MiBs',
    'ns µs ms s m h d dtdurations dtdurationms clocks clockms',
    'dateTimeAsIso dateTimeAsLocal dateTimeFromNow',
    'cps ops reqps rps wps iops eps mps recps rowsps cpm opm reqpm rpm wpm epm mpm',
    'hertz bool bool_yes_no bool_on_off string',
  ].flatMap((line) => line.split(' ')),
);

/** Whether Grafana knows the unit. Whoever writes `suffix:jobs`, `prefix:` or `count:` has made one up on purpose. */
export function isUnit(unit: string): boolean {
  return units.has(unit) || /^(suffix|prefix|count|si|currency|time|bool):/.test(unit);
}

export const knownUnits: readonly string[] = [...units];
