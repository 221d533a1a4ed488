/** Fenced blocks of a Markdown page, with what the comment above each says of it. */

export interface Block {
  /** `sh`, `ts`, `python`, `json`, … */
  language: string
  text: string
  /** Of the fence, from 1. */
  line: number
  /** Why it is not run, if it is not. */
  notRun?: string
}

const FENCE = /^(?<indent> *)```(?<language>\w*)[^\n]*\n(?<text>[\s\S]*?)^\k<indent>```$/gm
const NOT_RUN = /<!-- not run: (?<reason>[^>]+?) -->\n+$/
const HIDDEN = /^<!-- (?<language>sh|ts|python): (?<text>[\s\S]*?) -->$/gm

export function blocksOf(page: string): Block[] {
  const lineAt = (offset: number) => page.slice(0, offset).split('\n').length
  const fenced = [...page.matchAll(FENCE)].map((match): Block => {
    const { indent, language, text } = match.groups!
    const reason = NOT_RUN.exec(page.slice(0, match.index))?.groups?.reason
    const unindented = text!.replaceAll(new RegExp(`^${indent}`, 'gm'), '')
    return {
      language: language!,
      text: unindented,
      line: lineAt(match.index),
      ...(reason !== undefined && { notRun: reason }),
    }
  })
  const hidden = [...page.matchAll(HIDDEN)].map((match): Block => {
    const { language, text } = match.groups!
    return { language: language!, text: `${text}\n`, line: lineAt(match.index) }
  })
  return [...fenced, ...hidden].sort((a, b) => a.line - b.line)
}
