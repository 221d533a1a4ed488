/** The little Markdown of the contract: paragraphs, `code`, **bold**. */
import type { ComponentChild } from 'preact'

export function Prose({ text }: { text: string }) {
  const paragraphs = text.split(/\n\s*\n/)
  return (
    <>
      {paragraphs.map((paragraph) => (
        <p key={paragraph}>{inline(paragraph)}</p>
      ))}
    </>
  )
}

export function inline(text: string): ComponentChild[] {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((piece) => {
    if (piece.startsWith('`')) return <code>{piece.slice(1, -1)}</code>
    if (piece.startsWith('**')) return <strong>{piece.slice(2, -2)}</strong>
    return piece
  })
}
