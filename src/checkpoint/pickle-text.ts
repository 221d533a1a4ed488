/**
 * Values of pickle's protocols 0 and 1, which are written as text, a value a line: what Python 2 wrote by default. Values only:
 * the interpreter is in `pickle.ts`.
 *
 *   S'a dog'\n      STRING, as Python's repr() writes a str        I12\n, I01\n    INT: 12, True
 *   Va caf\u00e9\n  UNICODE, in the raw-unicode-escape encoding    F0.5\n, L12L\n  FLOAT, LONG
 *
 * Reference: CPython Lib/pickletools.py (`stringnl`, `unicodestringnl`, `decimalnl_short`, `decimalnl_long`, `floatnl`).
 */
import { damaged } from './pickle-names.ts'

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\', "'": "'", '"': '"' }

/** @param line as Latin-1, a byte a character @throws CheckpointError */
export function textOfRepr(line: string): string {
  const quote = line[0]
  if (line.length < 2 || (quote !== "'" && quote !== '"') || line.at(-1) !== quote) {
    throw damaged('a string in it is not between quotes')
  }
  const bytes = line.slice(1, -1).replace(/\\(?:x([0-9a-f]{2})|(.))/gi, (whole, hex?: string, char?: string) => {
    return hex === undefined ? (ESCAPES[char!] ?? whole) : String.fromCharCode(Number.parseInt(hex, 16))
  })
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

/** @param line as Latin-1 @throws CheckpointError */
export function textOfEscapes(line: string): string {
  return line.replace(/\\u([0-9a-f]{4})|\\U([0-9a-f]{8})/gi, (_, short?: string, long?: string) => {
    const point = Number.parseInt(short ?? long!, 16)
    if (point > 0x10ffff) throw damaged('a character in it does not exist')
    return String.fromCodePoint(point)
  })
}

/** `00` and `01` are False and True. @throws CheckpointError */
export function integerOf(line: string): number | bigint | boolean {
  if (line === '00' || line === '01') return line === '01'
  if (!/^-?\d{1,300}L?$/.test(line)) throw damaged('a whole number in it is none')
  const value = BigInt(line.replace('L', ''))
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

/** @throws CheckpointError */
export function floatOf(line: string): number {
  if (!/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(line)) throw damaged('a number in it is none')
  return Number(line)
}
