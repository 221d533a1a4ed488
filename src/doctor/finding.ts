/** The result of one check. */
export interface Finding {
  check: string
  status: 'ok' | 'warn' | 'fail'
  found: string
  /** What to do; of everything that is not `ok`. */
  advice?: string
}

export const ok = (check: string, found: string): Finding => ({ check, status: 'ok', found })
export const warn = (check: string, found: string, advice: string): Finding => ({
  check,
  status: 'warn',
  found,
  advice,
})
export const fail = (check: string, found: string, advice: string): Finding => ({
  check,
  status: 'fail',
  found,
  advice,
})
