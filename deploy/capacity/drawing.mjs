/** Requests a minute, and the encoders that were ready, over time: one strip a setting, as SVG. */

const WIDTH = 900
const STRIP = 150
const LEFT = 50
const BOTTOM = 30

export function drawn(results) {
  const minutes = Math.max(...results.map((result) => result.minutes.length))
  const most = Math.max(1, ...results.flatMap((result) => result.minutes.map(({ requests }) => requests)))
  const encoders = Math.max(1, ...results.flatMap((result) => result.minutes.map((minute) => minute.encoders)))
  const x = (i) => (LEFT + (i / minutes) * (WIDTH - LEFT - 10)).toFixed(1)
  const strips = results.map((result, at) => {
    const top = at * (STRIP + 30) + 24
    const y = (share) => (top + STRIP * (1 - share)).toFixed(1)
    const load = result.minutes.map(({ requests }, i) => `${x(i)},${y(requests / most)}`).join(' ')
    const steps = result.minutes.map(
      (minute, i) => `${x(i)},${y(minute.encoders / encoders)} ${x(i + 1)},${y(minute.encoders / encoders)}`,
    )
    return [
      `<text x="${LEFT}" y="${top - 8}">${result.name}</text>`,
      `<path d="M${LEFT},${top}V${top + STRIP}H${WIDTH - 10}" fill="none" stroke="#888"/>`,
      `<text x="${LEFT - 6}" y="${top + 10}" text-anchor="end">${encoders}</text>`,
      `<text x="${LEFT - 6}" y="${top + STRIP}" text-anchor="end">0</text>`,
      `<polyline points="${load}" fill="none" stroke="#3b82f6" stroke-width="1"/>`,
      `<polyline points="${steps.join(' ')}" fill="none" stroke="#d97706" stroke-width="2"/>`,
    ].join('\n')
  })
  const height = results.length * (STRIP + 30) + BOTTOM
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="#555">
<title>Requests a minute (blue, at most ${most.toLocaleString('en-US')}) and encoders that are ready (orange) over ${(minutes / 60).toFixed(0)} hours</title>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${strips.join('\n')}
<text x="${LEFT}" y="${height - 10}"><tspan fill="#3b82f6">requests a minute, at most ${most.toLocaleString('en-US')}</tspan> · <tspan fill="#d97706">encoders that are ready</tspan> · ${(minutes / 60).toFixed(0)} hours from left to right</text>
</svg>
`
}
