import CKernels
import Testing

/// The kernel variants that this processor can run, slowest first. The choice among them, as that of the number of threads, belongs to
/// the whole process, where other tests run at the same time: a test that makes it does so in a process of its own
/// (`processExitsWith`).
package let kernelVariants: [String] = {
    let all = ["portable", "avx2", "avx512", "avx512bf16", "avx512amx"]
    return Array(all[...(all.firstIndex(of: String(cString: amend_kernel_variant())) ?? 0)])
}()

package func useKernels(_ variant: String) {
    #expect(amend_kernel_select(variant) == 1, "\(variant) kernels were offered and cannot run")
    #expect(String(cString: amend_kernel_variant()) == variant)
}
