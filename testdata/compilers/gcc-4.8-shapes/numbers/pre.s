# Written by hand: static locals and clones as gcc 4.8 numbers them. Only g changes.
	.section .text.helper.isra.3,"ax",@progbits
	.type helper.isra.3, @function
helper.isra.3:
	call __fentry__
	incl count.21345(%rip)
	mov %edi, %eax
	ret
	.size helper.isra.3, .-helper.isra.3

	.section .text.f,"ax",@progbits
	.globl f
	.type f, @function
f:	call __fentry__
	call helper.isra.3
	mov $.LC0, %rdi
	call printk
	ret
	.size f, .-f

	.section .text.g,"ax",@progbits
	.globl g
	.type g, @function
g:	call __fentry__
	mov count.21351(%rip), %eax
	add $1, %eax
	ret
	.size g, .-g

	.section .bss.count.21345,"aw",@nobits
	.type count.21345, @object
	.align 4
count.21345:
	.zero 4
	.size count.21345, 4
	.section .bss.count.21351,"aw",@nobits
	.type count.21351, @object
	.align 4
count.21351:
	.zero 4
	.size count.21351, 4

	.section .rodata.str1.1,"aMS",@progbits,1
.LC0:	.string "f\n"
